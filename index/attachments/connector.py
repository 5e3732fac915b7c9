"""A connector whose mails are followed by what is attached to them.

Everything else goes to the connector inside of it. A listing without mails passes through.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from connectors.base import (
    Connector,
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Need,
    Notice,
    OwnersFile,
    Patterns,
    Settlement,
    Unlisted,
    shortened,
)
from index.attachments.mails import Mails
from index.attachments.members import LEVELS_MAX, Member, entry_of, is_mail, mail_prefixes, named_as_mail
from index.attachments.memory import Members, Memory
from index.attachments.opened import LastOpened
from index.attachments.waiting import Waiting
from index.model import Enclosed, Failure
from index.parse import formats

#: Code of what a mail holds and the index has not.
LEFT_OUT = "parts-left-out"
#: Entries that are looked at together.
_BATCH = 500


class _Detached(DocumentVanished):
    """The mail is there, and this is not attached to it."""


class WithAttachments(Connector):
    """The documents of a connector and, after each mail, the files that are attached to it."""

    def __init__(self, inner: Connector, mails: Mails) -> None:
        super().__init__(inner.settings, inner.context)
        self._inner = inner
        self._mails = mails
        self._exclude = Patterns(inner.settings.exclude)
        self._memory = Memory(inner.context.cache, mails.made_by)
        self._last = LastOpened(inner, mails)
        self.withheld: Callable[[Sequence[str], Sequence[str]], bool] = lambda uris, hashes: False
        """Whether an order keeps out one of these uris or contents: of such mails nothing is kept."""

    # ── What exists ───────────────────────────────────────────────────────────────────────────────────

    def list(self, folders: Collection[str] | None = None) -> Listing:
        """As the connector's own. Attachments of the mails in these folders are listed with them."""
        self._last.drop()
        listing = self._inner.list(folders)
        entries = self._entries(listing, whole=folders is None)
        return Listing(entries, listing.errors, listing.unlisted)

    def _entries(self, listing: Listing, *, whole: bool) -> Iterator[Entry]:
        found: Iterator[Entry] = iter(listing)
        waiting = Waiting()
        last, drained = "", False
        while batch := [*islice(found, _BATCH)]:
            mails = [entry for entry in batch if is_mail(entry)]
            if whole:
                self._memory.forget_between(last, batch[-1].uri, {mail.uri for mail in mails})
            last = batch[-1].uri
            members = self._memory.known(mails) if mails else {}
            unknown = [mail for mail in mails if mail.uri not in members]
            if unknown and not drained:
                # A source is not asked for documents while it is listed.
                from index.attachments.spool import spooled

                found, drained = spooled(found, self._mails.folder()), True
            if unknown:
                members |= self._looked_at(unknown)
            yield from self._with_members(batch, members, waiting, listing) if members or waiting else batch
        yield from waiting.before(None)
        if whole:
            self._memory.forget_between(last, None, ())

    def _with_members(
        self,
        batch: Sequence[Entry],
        members: Mapping[str, Members],
        waiting: Waiting,
        listing: Listing,
    ) -> Iterator[Entry]:
        instead: dict[str, tuple[str, Members]] = {}
        for entry in batch:
            if entry.uri in waiting and not is_mail(entry) and not self._withheld(entry.uri, "", ()):
                instead[entry.uri] = "", None
            yield from waiting.before(entry.uri)
            yield entry
            own = members.get(entry.uri, ())
            if own is None:
                reason = f"{shortened(entry.uri)!r} cannot be read: its attachments are left as they were."
                listing.unlisted.append(Unlisted(entry.uri, LEFT_OUT, reason))
            for member in own or ():
                attached = entry_of(entry, member)
                if not self._exclude.match(attached.uri):
                    waiting.add(attached)
        self._memory.keep(instead)

    def _looked_at(self, mails: Sequence[Entry]) -> dict[str, Members]:
        """{uri: members} of these mails, as they are now."""
        from index.attachments.look import looked_at

        found: dict[str, Members] = {}
        kept: dict[str, tuple[str, Members]] = {}
        for uri, members, token, content in looked_at(mails, self._inner, self._mails):
            found[uri] = members
            if token is not None and not self._withheld(uri, content, members):
                kept[uri] = token, members
        self._memory.keep(kept)
        return found

    def _withheld(self, uri: str, content: str, members: Members) -> bool:
        below = [(f"{uri}/{member.path}", member.content_hash) for member in members or ()]
        return self.withheld([uri, *(path for path, _ in below)], [content, *(own for _, own in below)])

    def stat(self, uri: str) -> Entry | None:
        try:
            found = self._attached(uri)
        except DocumentError as error:
            # Below a mail the source may have documents of its own.
            with suppress(DocumentVanished):
                if (own := self._inner.stat(uri)) is not None:
                    return own
            if isinstance(error, _Detached):
                return None
            raise
        if found is None:
            return self._inner.stat(uri)
        return None if self._exclude.match(uri) else entry_of(*found)

    def _attached(self, uri: str) -> tuple[Entry, Member] | None:
        """The mail that a document is attached to, and the member that it is; None where the uri lies below
        no mail. Raises _Detached when no mail above it has such a member, DocumentError when one cannot be
        read.

        The source is not asked for the uri itself: at an address that it has not given, a web site may answer
        with any page.
        """
        above = [*mail_prefixes(uri)]
        kept = set() if not above or self._memory.empty else self._memory.recorded([uri, *above])
        if uri in kept:
            return None
        mail = None
        for prefix in above:
            if (prefix in kept or named_as_mail(prefix)) and (found := self._mail(prefix, prefix in kept)):
                mail = found
                member = _member(uri, mail, self._members(mail))
                if member is not None:
                    return mail, member
        if mail is not None:
            raise _detached(uri, mail)
        return None

    def _mail(self, uri: str, known: bool) -> Entry | None:
        """The mail at this uri; None where there is none. Raises DocumentError for a `known` one."""
        try:
            found = self._inner.stat(uri)
        except DocumentError:
            if known:
                raise
            return None
        return found if found is not None and is_mail(found) else None

    def _members(self, mail: Entry) -> Sequence[Member]:
        """Raises DocumentError when they cannot be told."""
        known = self._memory.known([mail]).get(mail.uri)
        return self._last.opened(mail).members if known is None else known

    # ── What it holds ─────────────────────────────────────────────────────────────────────────────────

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        try:
            found = self._attached(uri)
        except DocumentError as error:
            try:
                return self._inner.fetch(uri, into)
            except DocumentVanished:
                raise error from None
        if found is None:
            return self._inner.fetch(uri, into)
        return self._fetch_member(uri, found[0], into)

    def _fetch_member(self, uri: str, mail: Entry, into: Path | None) -> Fetched:
        if into is None:
            members: Sequence[Member] = self._members(mail)
        else:
            opened = self._last.opened(mail)
            members = opened.members
            if opened.entry.token not in (None, mail.token):
                mail = opened.entry
        member = _member(uri, mail, members)
        if member is None or self._exclude.match(uri):
            raise _detached(uri, mail)
        if member.size > self.context.max_size:
            raise DocumentTooLarge(
                f"{shortened(uri)!r} holds {member.size:,} bytes; the limit is {self.context.max_size:,} "
                "(limits.max_size)."
            )
        entry = entry_of(mail, member)
        if into is None:
            return Fetched(entry, member.content_hash)
        content = self._mails.extract(opened.path, opened.format, members, member, into)
        if isinstance(content, Failure) or content != member.content_hash:
            into.unlink(missing_ok=True)
            why = content.reason if isinstance(content, Failure) else "The parser answered nonsense."
            raise DocumentForbidden(f"{shortened(uri)!r} cannot be taken out of its mail: {why}")
        return Fetched(entry, content, self._left_out(entry, member, into))

    def _left_out(self, entry: Entry, member: Member, content: Path) -> tuple[Notice, ...]:
        """What is attached to a mail that lies too deep in others."""
        if member.level < LEVELS_MAX or not is_mail(entry):
            return ()
        answer = self._mails.asked(content, formats.of(entry)).result()
        if not isinstance(answer, Enclosed) or not answer.attachments:
            return ()
        return (Notice(LEFT_OUT, "It is a mail in a mail in a mail: its attachments are no documents."),)

    def forget(self) -> None:
        """Look at every mail again, whatever its token says."""
        self._last.drop()
        self._memory.forget()

    # ── Everything else ───────────────────────────────────────────────────────────────────────────────

    def probe(self) -> str:
        self._last.drop()
        return self._inner.probe()

    def url(self, uri: str) -> str:
        return self._inner.url(uri)

    def home(self) -> str:
        return self._inner.home()

    def needs(self) -> Sequence[Need]:
        return self._inner.needs()

    def checked_out_at(self) -> int | None:
        return self._inner.checked_out_at()

    def codeowners(self) -> OwnersFile | None:
        return self._inner.codeowners()

    def watch(
        self, on_hint: Callable[[str | None], None], *, polling: bool = False
    ) -> AbstractContextManager[None]:
        return self._inner.watch(on_hint, polling=polling)

    def settle(self, settled: Settlement) -> Sequence[str]:
        self._last.drop()
        return self._inner.settle(settled)

    def close(self) -> None:
        self._last.drop()
        self._memory.close()
        self._inner.close()

    def __getattr__(self, name: str) -> Any:
        """`capabilities`, which some connectors learn of late."""
        return getattr(self.__dict__["_inner"], name)


def _member(uri: str, mail: Entry, members: Sequence[Member]) -> Member | None:
    path = uri.removeprefix(f"{mail.uri}/")
    return next((member for member in members if member.path == path), None)


def _detached(uri: str, mail: Entry) -> _Detached:
    return _Detached(f"{shortened(uri)!r} is not attached to {shortened(mail.uri)!r} any more.")
