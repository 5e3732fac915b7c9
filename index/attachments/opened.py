"""The mail that was asked for last, with its bytes: its attachments are asked for one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from connectors.base import Connector, DocumentForbidden, Entry, shortened
from index.attachments.mails import Mails
from index.attachments.members import Member
from index.errors import scratch_errors
from index.model import Failure
from index.parse import formats


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail whose bytes lie in a scratch file."""

    stated: Entry
    """As it was asked for."""
    entry: Entry
    """As it was fetched."""
    path: Path
    members: Sequence[Member]

    @property
    def format(self) -> str:
        return formats.of(self.entry)


class LastOpened:
    """Mails of a connector, of which the last one is kept."""

    def __init__(self, connector: Connector, mails: Mails) -> None:
        self._connector = connector
        self._mails = mails
        self._last: Opened | None = None

    def opened(self, mail: Entry) -> Opened:
        """The mail with its bytes; kept for the next of its attachments. Raises DocumentError."""
        last = self._last
        if last is not None and last.stated == mail:
            # A change that does not show is seen by the next listing, which reads such a mail again.
            return last
        self.drop()
        path = self._mails.new()
        try:
            with scratch_errors(path.parent):
                read = self._connector.fetch(mail.uri, path).entry
            form = formats.of(read)
            members = self._mails.members(path, form, self._mails.asked(path, form).result())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        if isinstance(members, Failure):
            path.unlink(missing_ok=True)
            raise DocumentForbidden(
                f"The attachments of {shortened(mail.uri)!r} cannot be read: {members.reason}"
            )
        self._last = Opened(mail, read, path, members)
        return self._last

    def drop(self) -> None:
        """Remove the bytes."""
        if self._last is not None:
            self._last.path.unlink(missing_ok=True)
            self._last = None
