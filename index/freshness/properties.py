"""Properties: the metadata of documents, by name.

Names are compared without case, and ``-`` and ``_`` alike: ``Last-Reviewed`` is ``last_reviewed``. A value is
a scalar, a list of scalars, None where a name has no value or an unreadable one, or an empty mapping for a
mapping, whose keys follow under dotted names.

Properties have three sources, and the first that has a name counts:

1. the author, by declarations in it: front matter, meta elements
2. the source that it lies in (`connectors.base.Entry.properties`)
3. the program that wrote the file: metadata of Word, PDF or mail, rarely checked before saving

The author comes first because declarations are deliberate, and move with the document; the source before the
program because it knows of reviews and owners, and the program only of clocks and accounts. There are two
exceptions. A rule of the configuration beats the source's owner (`index.config.rules`). The title is a part
of the text: any title of the document beats the source's.

A row of the ledger keeps them apart in one mapping, so that the source's part can be replaced: the author's
properties by name, the others as mappings under `SOURCE` and `PROGRAM`, which no canonical name is. Rows made
before there were these two keys have everything as the author's. Under `ASSIGNED` is the owner that a person
chose here, who comes behind the author's and before all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from index.printable import storable


#: Few names occur in many documents.
@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """
    >>> canonical("Last-Reviewed")
    'last_reviewed'
    """
    return name.strip().casefold().replace("-", "_")


SOURCE: Final = "SOURCE"
PROGRAM: Final = "PROGRAM"
#: What people said of the document here: its owner.
ASSIGNED: Final = "ASSIGNED"

#: The source's property of a file that is attached to a mail: the uri of the mail, which a person opens.
ENCLOSED_IN: Final = "enclosed_in"

#: Characters of a title.
_TITLE_MAX = 500


def by_name(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The properties by canonical name; of two with the same name the first, by the order above."""
    # Most documents have none, and an audit asks three times of each.
    if not properties:
        return {}
    found = declared(properties)
    for layer in (properties.get(SOURCE), properties.get(PROGRAM)):
        if layer is not None and isinstance(layer, Mapping):
            found = {**declared(layer), **found}
    return found


def declared(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The author's properties by canonical name; of two with the same name, the first."""
    found: dict[str, Any] = {}
    for name, value in properties.items():
        if name not in (SOURCE, PROGRAM, ASSIGNED) or not isinstance(value, Mapping):
            found.setdefault(canonical(name), value)
    return found


def assigned(properties: Mapping[str, Any]) -> str:
    """The owner that the document was assigned to; "" when it was to none."""
    found = properties.get(ASSIGNED)
    return str(found.get("owner", "")) if isinstance(found, Mapping) else ""


def with_assigned(properties: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """The properties with the owner that the document was assigned to; "" for none."""
    rest = {name: value for name, value in properties.items() if name != ASSIGNED}
    return {**rest, ASSIGNED: {"owner": owner}} if owner else rest


def said(properties: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The source's properties in a row of the ledger; None where it gave none."""
    found = properties.get(SOURCE)
    return found if isinstance(found, Mapping) else None


def mail_of(uri: str, properties: Mapping[str, Any]) -> str:
    """The uri of the mail that a document is attached to, the outermost one; "" where it is attached to
    none."""
    mail = (said(properties) or {}).get(ENCLOSED_IN)
    return mail if isinstance(mail, str) and uri.startswith(f"{mail}/") else ""


def mails_above(uri: str, properties: Mapping[str, Any]) -> list[str]:
    """The uris of the mails that a document is attached to: its own, and those that these are attached to."""
    mail = mail_of(uri, properties)
    found: list[str] = []
    while mail and len(uri) > len(mail):
        uri = uri.rpartition("/")[0]
        found.append(uri)
    return found


def attributed(name: str, properties: Mapping[str, Any]) -> str:
    """The canonical name, in words that tell the source's properties from the document's own."""
    given = said(properties)
    of_source = given is not None and name not in declared(properties) and name in declared(given)
    return f"{name} of its source" if of_source else name


def title(said: Mapping[str, Any] | None) -> str:
    """The title among the source's properties, as rows and payloads have it alike; "" when there is none."""
    value = declared(said or {}).get("title")
    return storable(" ".join(value.split())[:_TITLE_MAX]) if isinstance(value, str) else ""


def described(value: Any) -> str:
    """The type of a value, in words that follow "is": for a value of the wrong type."""
    match value:
        case None:
            return "empty or cannot be read"
        case bool():
            return "a yes or no"
        case int() | float():
            return f"a number ({str(value)[:40]})"
        case str() if not value.strip():
            return "empty"
        case list() | tuple():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping"
    text = str(value)
    return repr(text if len(text) <= 40 else text[:39] + "…")
