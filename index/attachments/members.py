"""Members of mails as documents: their names, uris and entries. Values in, values out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from connectors.base import Entry
from index.freshness.properties import ENCLOSED_IN, canonical
from index.model import Attachment
from index.parse import formats

#: Levels of documents in a mail: what is attached to it, and what is attached to a mail among that. Deeper
#: ones are rare, and multiply.
LEVELS_MAX = 2
#: Characters of a member's name: file systems end at 255 bytes.
NAME_MAX = 120
_SUFFIX_MAX = 20
#: The suffixes of mails.
MAILS = frozenset(suffix for suffix, format in formats.BY_SUFFIX.items() if format.module == "mail")
_ENDS = tuple(MAILS)


class Member(NamedTuple):
    """A file in a mail."""

    path: str
    """Below the mail."""
    content_type: str
    size: int
    content_hash: str
    sent: str
    """When the mail was sent that it is attached to."""

    @property
    def level(self) -> int:
        """1 for what is attached to the mail itself."""
        return self.path.count("/") + 1


def is_mail(entry: Entry) -> bool:
    """Whether the document may have members, by its format."""
    # A listing asks this of millions.
    if entry[6] is None and not entry[0].lower().endswith(_ENDS):
        return False
    return formats.of(entry) in MAILS


def format_of(member: Member) -> str:
    """Its format, as `formats.of` gives it."""
    return formats.of(_as_listed(member))


def mail_prefixes(uri: str) -> Iterator[str]:
    """The uris that a mail may have below which this uri lies, the shortest first."""
    at = uri.find("/")
    while at >= 0:
        yield uri[:at]
        at = uri.find("/", at + 1)


def named_as_mail(uri: str) -> bool:
    return uri.lower().endswith(_ENDS)


def entry_of(mail: Entry, member: Member) -> Entry:
    """A member as a document of the mail's source."""
    listed = _as_listed(member)
    said = {name: text for name, text in (mail.properties or {}).items() if canonical(name) != "title"}
    if member.sent:
        said["sent"] = member.sent
    return listed._replace(
        uri=f"{mail.uri}/{member.path}",
        modified_at=mail.modified_at,
        properties={**said, ENCLOSED_IN: mail.uri},
    )


def _as_listed(member: Member) -> Entry:
    """The entry, without what comes from the mail. Its content type counts where its name says nothing."""
    bare = Entry(member.path, member.content_hash, member.size, None, None)
    stated = bare._replace(format=member.content_type)
    suffix = formats.suffix_of(member.path)
    says_more = formats.of(stated) in formats.BY_SUFFIX or not suffix
    return bare if suffix in formats.BY_SUFFIX or not says_more or not member.content_type else stated


def names_of(attachments: Sequence[Attachment]) -> list[str]:
    """The name of each, unique among them: one that is taken gets a number."""
    found: dict[str, None] = {}
    for attachment in attachments:
        name = base = name_of(attachment)
        stem, suffix = _split(base)
        number = 1
        while name in found:
            number += 1
            name = f"{stem} ({number}){suffix}"
        found[name] = None
    return list(found)


def name_of(attachment: Attachment) -> str:
    """The last name of the path that a mail gives, printable, of bounded length, and not hidden."""
    last = re.split(r"[/\\]", attachment.name)[-1]
    said = " ".join("".join(char if char.isprintable() else " " for char in last).split()).lstrip(". ")
    if not said:
        stated = formats.of(Entry("", None, None, None, None, format=attachment.content_type))
        return f"attachment{stated if stated in formats.BY_SUFFIX else ''}"
    stem, suffix = _split(said)
    return stem[: NAME_MAX - len(suffix)].rstrip() + suffix


def _split(name: str) -> tuple[str, str]:
    """Stem and suffix; "" for one that is too long to be one."""
    stem, dot, suffix = name.rpartition(".")
    return (stem, dot + suffix) if stem and len(suffix) < _SUFFIX_MAX else (name, "")
