"""Services that say that they are S3, Google's or Azure's: what is not surely a whole listing is none."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from connectors.base import SourceUnavailable
from tests.connectors.objects.buckets import Bucket, S3Bucket
from tests.connectors.objects.listings import filled, first_page_alone, refused, uris
from tests.connectors.objects.relay import Asked, Reply


def alter(bucket: Bucket, old: bytes, new: bytes, *, only: Callable[[Asked], bool] | None = None) -> None:
    """Replaces this in each page."""

    def altered(asked: Asked, reply: Reply) -> Reply:
        if asked.lists and (only is None or only(asked)):
            return reply.with_body(reply.body.replace(old, new))
        return reply

    bucket.relay.after.append(altered)


def test_all_pages_are_listed_in_order(bucket: Bucket) -> None:
    filled(bucket).page_by(2)
    listing = bucket.connect("docs").list()
    assert uris(listing) == ["a.md", "b.md", "c.md", "d.md", "e.md"]
    assert listing.complete


def test_a_listing_that_a_look_alike_cuts_short_is_incomplete(s3: S3Bucket) -> None:
    filled(s3).page_by(2)
    alter(s3, b"<IsTruncated>true</IsTruncated>", b"<IsTruncated>false</IsTruncated>")
    listing = s3.connect("docs").list()
    assert uris(listing) == ["a.md", "b.md"]
    assert not listing.complete
    assert "is cut short: the service ended it after 2 objects" in listing.errors[0]


def test_a_listing_that_ends_without_its_next_page_is_incomplete_where_obstore_lists(cloud: Bucket) -> None:
    filled(cloud).page_by(2)

    def ended(asked: Asked, reply: Reply) -> Reply:
        body = reply.body
        for name in (b"NextContinuationToken", b"NextMarker"):
            before, found, after = body.partition(b"<%s>" % name)
            if found and asked.lists:
                body = before + after.partition(b"</%s>" % name)[2]
        return reply.with_body(body)

    cloud.relay.after.append(ended)
    listing = cloud.connect("docs").list()
    assert uris(listing) == ["a.md", "b.md"]
    assert not listing.complete
    assert "is cut short" in listing.errors[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"<Name>", b"<Name>other-", "is of the bucket 'other-bucket"),
        (b"<IsTruncated>false</IsTruncated>", b"", "does not say whether more keys follow"),
        (
            b"<IsTruncated>false</IsTruncated>",
            b"<IsTruncated>true</IsTruncated>",
            "does not say how to ask for them",
        ),
        (b"<KeyCount>5</KeyCount>", b"<KeyCount>9</KeyCount>", "says that it has 9 keys and shows 5"),
        (b"<Key>docs", b"<Key>dogs", "do not begin with the prefix"),
        (b"ListBucketResult", b"Listing", "is a 'Listing' and no ListBucketResult"),
        (b"<ListBucketResult", b"<ListBucketResult<", "is not XML"),
    ],
)
def test_a_page_that_is_not_surely_a_page_of_this_bucket_is_refused(
    s3: S3Bucket, old: bytes, new: bytes, said: str
) -> None:
    filled(s3)
    alter(s3, old, new)
    with pytest.raises(SourceUnavailable, match="cannot be listed") as raised:
        s3.connect("docs").list()
    assert said in str(raised.value)


def test_an_endpoint_without_its_bucket_is_refused_although_it_looks_empty(s3: S3Bucket) -> None:
    """The list of buckets is what the endpoint answers."""
    filled(s3)
    refused(s3.connect("docs", virtual_hosted=True), "is the list of buckets", "virtual_hosted")


def test_a_portal_that_answers_everything_is_refused(bucket: Bucket) -> None:
    filled(bucket)
    page = Reply(200, b"<html><body>Welcome</body></html>", {"Content-Type": "text/html"})
    connector = bucket.connect("docs")
    assert connector.probe()
    bucket.relay.before.append(lambda asked: page)
    for ask in (connector.probe, connector.list, lambda: connector.stat("a.md")):
        with pytest.raises(SourceUnavailable, match=r"\.$"):
            ask()


def test_a_portal_on_the_second_page_makes_the_listing_incomplete(bucket: Bucket) -> None:
    filled(bucket).page_by(2)
    portal = Reply(200, b"<html><body>Welcome</body></html>", {"Content-Type": "text/html"})
    bucket.relay.before.append(lambda asked: portal if asked.next_page else None)
    first_page_alone(bucket)


def test_a_service_that_shows_a_page_again_has_no_whole_listing(s3: S3Bucket) -> None:
    filled(s3).page_by(2)

    def first_again(asked: Asked) -> None:
        if asked.next_page:
            asked.target = re.sub("continuation-token=[^&]*&", "", asked.target)

    s3.relay.before.append(first_again)
    listing = s3.connect("docs").list()
    assert uris(listing) == ["a.md", "b.md"]
    assert "goes back to keys" in listing.errors[0]


def test_a_service_that_lists_in_no_order_is_listed_in_order(s3: S3Bucket) -> None:
    filled(s3)

    def backwards(asked: Asked, reply: Reply) -> Reply:
        head, *rest = reply.body.split(b"<Contents>")
        if not asked.lists or len(rest) < 2:
            return reply
        last, tail = rest[-1].split(b"</Contents>")
        parts = [part.removesuffix(b"</Contents>") for part in rest[:-1]] + [last]
        records = b"".join(b"<Contents>%s</Contents>" % part for part in reversed(parts))
        return reply.with_body(head + records + tail)

    s3.relay.after.append(backwards)
    listing = s3.connect("docs").list()
    assert uris(listing) == ["a.md", "b.md", "c.md", "d.md", "e.md"]
    assert listing.complete
