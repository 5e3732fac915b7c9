"""The seam of the three services: what a bucket lists, and how it proves that it is the bucket."""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence, Sequence
from typing import TYPE_CHECKING, Protocol

from connectors.base import shortened
from connectors.objects.failures import Place
from connectors.objects.keys import StoredObject

if TYPE_CHECKING:
    from obstore.store import AzureStore, GCSStore, S3Store


class Bucket(Protocol):
    """One bucket of one service. Every method raises Refusal when it is refused what it asks for, and
    SourceUnavailable for an answer that is not the bucket's."""

    place: Place
    right: str
    """What credentials need for a listing, for messages."""

    @property
    def store(self) -> S3Store | GCSStore | AzureStore:
        """Its bytes."""

    def prove(self) -> None:
        """Returns when the bucket itself answers, and may be listed."""

    def pages(
        self, prefix: str, errors: MutableSequence[str], *, deep: bool
    ) -> Iterator[Sequence[StoredObject]]:
        """The objects below a prefix ("" or with a slash at its end), or with `deep` false those directly
        below it, in no order. The iteration ends when the end is proven; what is in doubt then, or could
        not be read, goes to `errors`."""

    def find(self, key: str) -> StoredObject | None:
        """The object as `pages` shows it; None when the bucket says that it has none of this key."""


def cut_short(place: Place, count: int, key: str) -> str:
    """The error of a listing that a service ended although more keys follow this one."""
    return (
        f"The listing of {place} is cut short: the service ended it after {count:,} objects, and has more "
        f"after {shortened(key)!r}. Nothing is removed on its word; report it to who runs the service."
    )
