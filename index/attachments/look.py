"""Mails looked at, several at once: fetched one after the other, read by a parser's children beside each
other."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from connectors.base import Connector, DocumentError, Entry
from index.attachments.mails import Mails
from index.attachments.memory import Members
from index.errors import scratch_errors
from index.model import Enclosed, Failure
from index.parse import formats

#: Mails, and bytes of them, that are read while the first of them is waited for.
_AHEAD = 16
_AHEAD_BYTES = 64 << 20


class Looked(NamedTuple):
    """A mail that was looked at."""

    uri: str
    members: Members
    token: str | None
    """Of the version that has these members; None where they are not to be remembered."""
    content_hash: str = ""
    """Of the mail, where it was read."""


@dataclass(frozen=True, slots=True)
class _Look:
    mail: Entry
    """As it was fetched."""
    content_hash: str
    path: Path
    answer: Future[Enclosed | Failure]
    size: int

    def end(self, mails: Mails) -> Looked:
        answer = self.answer.result()
        members = mails.members(self.path, formats.of(self.mail), answer)
        if isinstance(members, Failure):
            token = None if members.transient else self.mail.token
            return Looked(self.mail.uri, None, token, self.content_hash)
        return Looked(self.mail.uri, members, self.mail.token, self.content_hash)


def looked_at(found: Iterable[Entry], connector: Connector, mails: Mails) -> Iterator[Looked]:
    """Each of these mails of a connector, in their order. Raises SourceUnavailable, and ParserError and
    ScratchError when the installation or the disk is at fault."""
    ahead: deque[_Look | Looked] = deque()

    def first() -> Looked:
        look = ahead[0]
        done = look.end(mails) if isinstance(look, _Look) else look
        _remove(ahead.popleft())
        return done

    try:
        for mail in found:
            ahead.append(_begun(mail, connector, mails))
            while len(ahead) >= _AHEAD or sum(map(_size, ahead)) > _AHEAD_BYTES:
                yield first()
        while ahead:
            yield first()
    finally:
        for look in ahead:
            _remove(look)


def _begun(mail: Entry, connector: Connector, mails: Mails) -> _Look | Looked:
    if mail.size is not None and mail.size > connector.context.max_size:
        return Looked(mail.uri, None, None)
    path = mails.new()
    try:
        with scratch_errors(path.parent):
            fetched = connector.fetch(mail.uri, path)
        read = fetched.entry
        answer = mails.asked(path, formats.of(read))
        return _Look(read, fetched.content_hash, path, answer, path.stat().st_size)
    except DocumentError:
        # The mail as a document meets the same error, and records it.
        path.unlink(missing_ok=True)
        return Looked(mail.uri, None, None)


def _size(look: _Look | Looked) -> int:
    return look.size if isinstance(look, _Look) else 0


def _remove(look: _Look | Looked) -> None:
    if isinstance(look, _Look):
        look.answer.cancel()
        look.path.unlink(missing_ok=True)
