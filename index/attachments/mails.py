"""What a mail holds, as a parser's child says: its members, and the bytes of one."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from index.attachments.members import LEVELS_MAX, MAILS, Member, format_of, names_of
from index.model import Enclosed, Failure, digest
from index.parse import formats
from index.parse.parsing import Parsing

#: Raised when the same mail has members of other names.
_REVISION = 1


@dataclass(frozen=True, slots=True)
class Mails:
    """Mails in scratch files, read by a parser's children."""

    parser: Callable[[], Parsing]
    folder: Callable[[], Path]
    """A private folder."""
    timeout_seconds: float

    def made_by(self) -> str:
        """The fingerprint of how members are found."""
        own = [formats.BY_NAME[name].fingerprint(chunking="") for name in ("eml", "msg")]
        return digest([_REVISION, self.timeout_seconds, *own])[:16]

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """The path of a file that is not there yet, and is removed at the end."""
        path = self.new()
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    def new(self) -> Path:
        """The path of a file that is not there yet."""
        return self.folder() / f"mail-{secrets.token_hex(8)}"

    def asked(self, path: Path, format: str) -> Future[Enclosed | Failure]:
        """What is attached to a mail, once a child has read it."""
        return self.parser().enclosed(path, format, timeout_seconds=self.timeout_seconds)

    def members(self, path: Path, format: str, answer: Enclosed | Failure) -> list[Member] | Failure:
        """The members of the mail at `path` whose answer this is, those of mails in it after these."""
        if isinstance(answer, Failure):
            return answer
        return [*self._members(path, format, answer, "")]

    def _members(self, path: Path, format: str, found: Enclosed, below: str) -> Iterator[Member]:
        for number, (name, one) in enumerate(
            zip(names_of(found.attachments), found.attachments, strict=True)
        ):
            member = Member(f"{below}{name}", one.content_type, one.size, one.content_hash, found.sent)
            yield member
            if member.level < LEVELS_MAX and format_of(member) in MAILS:
                with self.scratch() as inner:
                    got = self._content(path, format, number, inner)
                    form = format_of(member)
                    answer = got if isinstance(got, Failure) else self.asked(inner, form).result()
                    if isinstance(answer, Enclosed):
                        sent = answer.sent or found.sent
                        yield from self._members(
                            inner, form, Enclosed(answer.attachments, sent), f"{member.path}/"
                        )

    def extract(
        self, path: Path, format: str, members: Sequence[Member], wanted: Member, into: Path
    ) -> str | Failure:
        """The sha256 hash, hex, of a member's bytes, which the file `into` has then. `members` are all of the
        mail at `path`."""
        above, _, _ = wanted.path.rpartition("/")
        siblings = [member for member in members if member.path.rpartition("/")[0] == above]
        number = siblings.index(wanted)
        if not above:
            return self._content(path, format, number, into)
        mail = next(member for member in members if member.path == above)
        with self.scratch() as inner:
            got = self.extract(path, format, members, mail, inner)
            return got if isinstance(got, Failure) else self._content(inner, format_of(mail), number, into)

    def _content(self, path: Path, format: str, number: int, into: Path) -> str | Failure:
        return (
            self.parser().content(path, format, number, into, timeout_seconds=self.timeout_seconds).result()
        )
