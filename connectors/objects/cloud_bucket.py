"""Google Cloud Storage and Azure Blob Storage: listed by obstore, proven by questions besides."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, MutableSequence, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from connectors.base import SourceUnavailable, shortened
from connectors.objects.bucket import cut_short
from connectors.objects.failures import Place, refusal_of
from connectors.objects.keys import StoredObject, strong
from connectors.objects.pages import SECOND

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore

_PAGE = 1_000


def stored(meta: Any) -> StoredObject:
    """An object as obstore describes it."""
    modified: datetime = meta["last_modified"]
    return StoredObject(meta["path"], strong(meta["e_tag"]), meta["size"], int(modified.timestamp()) * SECOND)


class CloudBucket:
    def __init__(
        self,
        source: str,
        url: str,
        endpoint: str,
        listed: GCSStore | AzureStore,
        store: GCSStore | AzureStore,
        right: str,
    ) -> None:
        """`endpoint` is the address of the service; `listed` answers for the bucket, `store` for objects."""
        self.place = Place(source, url, urlsplit(endpoint).netloc)
        self._listed, self.store, self.right = listed, store, right

    def prove(self) -> None:
        import obstore

        next(iter(obstore.list(self._listed, f"freshkb-{uuid.uuid4()}")), None)
        self._answers()

    def _answers(self) -> None:
        """Returns when the bucket itself answers: a page may be empty because it is none, since any XML is
        one to obstore. That a name which nobody has is not there, only the bucket says in these words."""
        if self._get(f"freshkb-{uuid.uuid4()}") is not None:
            raise SourceUnavailable(
                f"{self.place} cannot be listed: {self.place.host} has an answer to every name, so it is not "
                "the service. Check endpoint, and whether a portal stands in between."
            )

    def pages(
        self, prefix: str, errors: MutableSequence[str], *, deep: bool
    ) -> Iterator[Sequence[StoredObject]]:
        import obstore
        from obstore.exceptions import InvalidPathError

        below = prefix.removesuffix("/") or None
        if not deep:
            found = obstore.list_with_delimiter(self._listed, below)
            yield self._objects(found["objects"], prefix)
            if not found["objects"]:
                self._answers()
            return
        count, last = 0, ""
        try:
            for chunk in obstore.list(self._listed, below, chunk_size=_PAGE):
                page = self._objects(chunk, prefix)
                count += len(page)
                last = max([last, *(found.key for found in page)])
                yield page
        except InvalidPathError:
            yield from self._folder_by_folder(prefix, last, errors)
            return
        if last:
            following = next(iter(obstore.list(self._listed, below, offset=last)), [])
            if any(meta["path"] > last for meta in following):
                errors.append(cut_short(self.place, count, last))
        self._answers()

    def find(self, key: str) -> StoredObject | None:
        import obstore
        from obstore.exceptions import BaseError

        try:
            return stored(obstore.head(self.store, key))
        except (BaseError, FileNotFoundError) as error:
            refusal = refusal_of(error)
            if refusal.status != 404:
                raise refusal from None
        # An answer without a body does not say what is not there: the object, or the bucket.
        return self._get(key)

    def _get(self, key: str) -> StoredObject | None:
        import obstore
        from obstore.exceptions import BaseError

        try:
            return stored(obstore.get(self._listed, key).meta)
        except (BaseError, FileNotFoundError) as error:
            refusal = refusal_of(error)
            if refusal.no_such_key:
                return None
            raise refusal from None

    def _objects(self, metas: Sequence[Any], prefix: str) -> list[StoredObject]:
        """The objects of a page. obstore shows the folder ``a/`` as ``a``."""
        found = [stored(meta) for meta in metas]
        return [one for one in found if one.size or self.find(one.key) is not None]

    def _folder_by_folder(
        self, prefix: str, after: str, errors: MutableSequence[str]
    ) -> Iterator[Sequence[StoredObject]]:
        """The objects behind a key. A folder with a key that is not a path is an error, and the others are
        listed: obstore gives up a page with such a key."""
        import obstore
        from obstore.exceptions import InvalidPathError

        folders = [prefix.removesuffix("/")]
        while folders:
            folder = folders.pop()
            try:
                found = obstore.list_with_delimiter(self._listed, folder or None)
            except InvalidPathError:
                errors.append(
                    f"The folder {shortened(folder)!r} of {self.place} has a key that is not a path (an "
                    "empty segment, a . or .. for one, or a control character), so it cannot be listed. "
                    "Rename or remove that key."
                )
                continue
            deeper = [name for name in found["common_prefixes"] if len(name) > len(folder)]
            if len(deeper) < len(found["common_prefixes"]):
                errors.append(
                    f"The folder {shortened(folder)!r} of {self.place} has keys with an empty segment. "
                    "Rename or remove them."
                )
            folders += deeper
            yield [one for one in self._objects(found["objects"], prefix) if one.key > after]
