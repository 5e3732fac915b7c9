"""What tests of listings share: a bucket with five documents, and how a listing may fail."""

from __future__ import annotations

import pytest

from connectors.base import Connector, Listing, SourceUnavailable
from tests.connectors.objects.buckets import SECRET_KEY, Bucket

KEYS = ["docs/a.md", "docs/b.md", "docs/c.md", "docs/d.md", "docs/e.md"]


def filled(bucket: Bucket) -> Bucket:
    for key in KEYS:
        bucket.put(key, key.encode())
    return bucket


def uris(listing: Listing) -> list[str]:
    return [entry.uri for entry in listing]


def refused(connector: Connector, *said: str) -> str:
    """Every way to ask is refused with a sentence that says this, and no secret; the sentence."""
    for ask in (
        connector.probe,
        connector.list,
        lambda: connector.list(["a"]),
        lambda: connector.stat("a.md"),
    ):
        with pytest.raises(SourceUnavailable, match=r"\.\)?$") as raised:
            ask()
        message = str(raised.value)
        assert all(part in message for part in said), message
        assert "SECRET" not in message and SECRET_KEY not in message and "Signature" not in message
    return message


def first_page_alone(bucket: Bucket) -> str:
    """A listing of which the second page fails has the first one, and is incomplete; its error. Where obstore
    lists, several small pages are one to it, and fail together."""
    try:
        listing = bucket.connect("docs").list()
    except SourceUnavailable as error:
        assert bucket.scheme != "s3"
        return str(error)
    assert uris(listing) == ["a.md", "b.md"]
    assert not listing.complete
    return listing.errors[0]
