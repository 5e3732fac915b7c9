"""Documents in a bucket, whichever service it is of."""

from __future__ import annotations

import time
import uuid
from abc import abstractmethod
from collections.abc import Callable, Collection, Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from connectors.ascending import ascending
from connectors.base import (
    Capabilities,
    Connector,
    ConnectorSettings,
    Context,
    DocumentChanging,
    DocumentForbidden,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Patterns,
    SourceUnavailable,
    Unlisted,
    shortened,
)
from connectors.objects.bucket import Bucket
from connectors.objects.cloud_bucket import stored
from connectors.objects.descriptions import Description, Descriptions, description_of
from connectors.objects.failures import Refusal, document_error, refusal_of, unavailable
from connectors.objects.keys import StoredObject, is_folder, key_of, leave_out, uri_of
from connectors.objects.settings import ObjectSettings
from connectors.patterns import PathFilter
from connectors.receive import receive

#: How often the reading of one version begins.
ATTEMPTS = 3
#: Bytes of a block.
_BLOCK = 1_000_000


class ObjectConnector(Connector):
    """A bucket, or a folder of one."""

    capabilities: ClassVar[Capabilities] = Capabilities(token="etag", detects=frozenset({"dates"}))

    pause: Callable[[float], None] = staticmethod(time.sleep)
    """Waits for so many seconds before a request for a page is sent again."""

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, ObjectSettings)
        self._prefix, self._with_metadata = settings.prefix, settings.metadata
        self._filter = PathFilter(Patterns(settings.include), Patterns(settings.exclude), settings.hidden)
        self._descriptions = Descriptions(context.cache, self._described)
        self._opened: Bucket | None = None
        if settings.metadata:
            # Of this source alone.
            vars(self)["capabilities"] = Capabilities(
                token="etag", detects=frozenset({"dates", "owners", "titles", "links"})
            )

    @abstractmethod
    def _open(self) -> Bucket: ...

    @abstractmethod
    def _address(self) -> str:
        """The address of the bucket that a browser opens, without a slash at its end."""

    @abstractmethod
    def _identity(self) -> str:
        """Which bucket this is; the same from wherever it is asked."""

    @property
    def _bucket(self) -> Bucket:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def probe(self) -> str:
        with self._asking():
            self._bucket.prove()
        return self._identity()

    def list(self, folders: Collection[str] | None = None) -> Listing:
        errors: list[str] = []
        unlisted: list[Unlisted] = []
        pages = self._pages(folders, errors)
        # The first page is had here, so that its failure is raised here, not to the reader.
        first = next(pages, [])
        entries = self._entries(chain([first], pages), errors, unlisted, whole=folders is None)
        return Listing(ascending(entries, errors), errors, unlisted)

    def _pages(
        self, folders: Collection[str] | None, errors: MutableSequence[str]
    ) -> Iterator[Sequence[StoredObject]]:
        deep, prefixes = folders is None, [self._prefix]
        if folders is not None:
            keys = {folder: key_of(folder, self._prefix) for folder in folders}
            prefixes = sorted(
                self._prefix if not folder else f"{key}/"
                for folder, key in keys.items()
                if key is not None or not folder
            )
        answered = False
        for prefix in prefixes:
            try:
                with self._asking():
                    for page in self._bucket.pages(prefix, errors, deep=deep):
                        yield page
                        answered = True
            except SourceUnavailable as error:
                if not answered:
                    raise
                errors.append(str(error))
                if deep:
                    return

    def _entries(
        self,
        pages: Iterator[Sequence[StoredObject]],
        errors: MutableSequence[str],
        unlisted: MutableSequence[Unlisted],
        *,
        whole: bool,
    ) -> Iterator[Entry]:
        listing = uuid.uuid4().hex if whole else ""
        for page in pages:
            named = [(one, uri_of(one.key, self._prefix)) for one in page]
            for one, uri in named:
                if uri is None and not is_folder(one):
                    leave_out(one.key, unlisted)
            taken = [(one, uri) for one, uri in named if uri is not None and self._filter.takes(uri)]
            if not self._with_metadata:
                yield from (one.entry(uri) for one, uri in taken)
                continue
            try:
                with self._asking():
                    said = self._descriptions.of([one for one, _ in taken], listing)
                    if None in said:
                        # Refused credentials look like refused objects: ask the bucket.
                        self._bucket.prove()
            except SourceUnavailable as error:
                errors.append(str(error))
                return
            without: list[str] = []
            for (one, uri), about in zip(taken, said, strict=True):
                if about is None:
                    without.append(uri)
                else:
                    yield _entry(one, uri, about)
            if without:
                errors.append(
                    f"The metadata of {shortened(without[0])!r} and {len(without) - 1:,} more of "
                    f"{self._bucket.place} may not be read. Allow it, or exclude them."
                )
        if whole and self._with_metadata and not errors:
            self._descriptions.forget_others(listing)

    def stat(self, uri: str) -> Entry | None:
        key = key_of(uri, self._prefix)
        if key is None or not self._filter.takes(uri):
            return None
        with self._asking(uri):
            found = self._bucket.find(key)
            if found is None:
                return None
            if not self._with_metadata:
                return found.entry(uri)
            (about,) = self._descriptions.of([found])
            if about is None:
                raise Refusal(403)
            return _entry(found, uri, about)

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        key = key_of(uri, self._prefix)
        if key is None:
            raise DocumentForbidden(f"{shortened(uri)!r} is not the uri of an object.")
        if not self._filter.takes(uri):
            raise DocumentVanished(f"{shortened(uri)!r} is not a document of this source any more.")
        for _ in range(ATTEMPTS):
            try:
                with self._asking(uri):
                    return self._received(key, uri, into)
            except DocumentChanging:
                continue
        raise DocumentChanging(
            f"{shortened(uri)!r} changed or broke off during each of {ATTEMPTS} attempts to read it whole."
        )

    def _received(self, key: str, uri: str, into: Path | None) -> Fetched:
        import obstore
        from obstore.exceptions import BaseError

        answer = obstore.get(self._bucket.store, key)
        found = stored(answer.meta)

        def blocks() -> Iterator[bytes]:
            try:
                yield from answer.stream(min_chunk_size=_BLOCK)
            except (BaseError, FileNotFoundError) as error:
                # It ended early, and could not be resumed: the object may have another version now.
                raise _changing(uri) from error

        received = receive(blocks(), uri, into, self.context.max_size, announced=found.size)
        about = description_of(answer.attributes) if self._with_metadata else None
        return Fetched(
            found.entry(uri) if about is None else _entry(found, uri, about), received.content_hash
        )

    def _described(self, key: str) -> Description | None:
        """None when it is refused for this object, or the object is gone."""
        import obstore
        from obstore.exceptions import BaseError

        try:
            return description_of(obstore.get(self._bucket.store, key, options={"head": True}).attributes)
        except (BaseError, FileNotFoundError) as error:
            refusal = refusal_of(error)
            if refusal.of_the_object:
                return None
            raise refusal from None

    def url(self, uri: str) -> str:
        return f"{self._address()}/{quote(key_of(uri, self._prefix) or '')}"

    def home(self) -> str:
        return f"{self._address()}/{quote(self._prefix)}"

    def close(self) -> None:
        self._opened = None

    @contextmanager
    def _asking(self, uri: str | None = None) -> Iterator[None]:
        """Refusals as errors: SourceUnavailable, or with a uri a DocumentError when it is that object's."""
        try:
            yield
            return
        except Refusal as error:
            refusal = error
        except FileNotFoundError as error:
            # Of obstore; of ours are files of the cache, and the file that is written, which are named.
            if error.filename is not None:
                raise
            refusal = refusal_of(error)
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "obstore":
                raise
            refusal = refusal_of(error)
        raise self._refused(refusal, uri) from None

    def _refused(self, refusal: Refusal, uri: str | None) -> Exception:
        bucket = self._bucket
        if uri is not None and refusal.of_the_object:
            # A missing bucket and refused credentials often look the same: ask the bucket.
            with self._asking():
                bucket.prove()
                if refusal.status == 404 and bucket.find(key_of(uri, self._prefix) or "") is not None:
                    return _changing(uri)
            return document_error(refusal, uri)
        return unavailable(refusal, bucket.place, bucket.right)


def _changing(uri: str) -> DocumentChanging:
    return DocumentChanging(f"{shortened(uri)!r} changed while it was read. The next sync reads it again.")


def _entry(found: StoredObject, uri: str, about: Description) -> Entry:
    return found.entry(uri)._replace(format=about.format, properties=about.properties)
