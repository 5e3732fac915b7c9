"""Documents read whole: broken bodies, changes on the way, archives, and what a read costs."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.base import (
    DocumentChanging,
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    SourceUnavailable,
)
from tests.connectors.objects.azurite import ask
from tests.connectors.objects.buckets import AzureBucket, Bucket, GcsBucket
from tests.connectors.objects.relay import Asked, Reply, refusal
from tests.contracts.connector_contract import MAX_SIZE

DATA = bytes(range(256)) * 300


def cutting(bucket: Bucket, times: int, *, change: bool = False) -> None:
    """So many answers with the object's bytes break off half-way, each after the object has changed."""
    left = [times]

    def cut(asked: Asked, reply: Reply) -> Reply:
        if not (asked.method == "GET" and bucket.is_of(asked, "a.bin") and left[0]):
            return reply
        left[0] -= 1
        if change:
            bucket.put("a.bin", DATA + bytes([left[0]]))
        return Reply(reply.status, reply.body, reply.headers, cut=len(reply.body) // 2)

    bucket.relay.after.append(cut)


def test_a_body_that_breaks_off_is_had_whole(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("a.bin", DATA)
    cutting(bucket, 2)
    fetched = bucket.connect(retries=1).fetch("a.bin", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    assert fetched.content_hash == hashlib.sha256(DATA).hexdigest()


def test_a_body_that_always_breaks_off_is_given_up_and_leaves_nothing(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("a.bin", DATA)
    cutting(bucket, 99)
    with pytest.raises(DocumentChanging, match="during each of 3 attempts"):
        bucket.connect().fetch("a.bin", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []


def test_a_change_on_the_way_gives_one_version_and_no_mixture(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("a.bin", DATA)
    cutting(bucket, 1, change=True)
    connector = bucket.connect(retries=2)
    fetched = connector.fetch("a.bin", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA + b"\0"
    assert fetched.entry == connector.stat("a.bin")


def test_a_document_above_the_limit_is_refused_before_its_bytes_are_read(bucket: Bucket) -> None:
    bucket.put("a.bin", b"x" * (MAX_SIZE + 1))
    sent: list[int] = []

    def counted(asked: Asked, reply: Reply) -> Reply:
        sent.append(len(reply.body))
        # Who waits for the body fails.
        return Reply(reply.status, reply.body, reply.headers, cut=10) if asked.method == "GET" else reply

    bucket.relay.after.append(counted)
    with pytest.raises(DocumentTooLarge, match=r"100,001 bytes; the limit is 100,000\."):
        bucket.connect().fetch("a.bin", None)


def answering(bucket: Bucket, key: str, reply: Reply) -> None:
    """Whoever wants the bytes of this object gets this."""
    bucket.relay.before.append(
        lambda asked: reply if bucket.is_of(asked, key) and asked.method == "GET" else None
    )


@pytest.mark.parametrize(("status", "code"), [(403, "InvalidObjectState"), (409, "BlobArchived")])
def test_an_archived_object_says_so(bucket: Bucket, status: int, code: str) -> None:
    bucket.put("a.bin", DATA)
    answering(bucket, "a.bin", refusal(status, code))
    with pytest.raises(DocumentForbidden, match="is archived"):
        bucket.connect().fetch("a.bin", None)


def test_a_blob_of_the_archive_tier_says_so_until_it_is_back(azure: AzureBucket) -> None:
    def tier(name: str) -> int:
        return ask(azure.relay.upstream, "PUT", f"{azure.name}/a.bin", "comp=tier", access_tier=name)

    azure.put("a.bin", DATA)
    connector = azure.connect()
    before = connector.stat("a.bin")
    assert tier("Archive") == 200
    with pytest.raises(DocumentForbidden, match="is archived"):
        connector.fetch("a.bin", None)
    assert connector.stat("a.bin") == before
    answering(azure, "a.bin", refusal(409, "BlobBeingRehydrated"))
    with pytest.raises(DocumentForbidden, match="comes back from the archive"):
        connector.fetch("a.bin", None)


@pytest.mark.parametrize(
    ("status", "code"), [(400, "InvalidRequest"), (400, "KMS.DisabledException"), (409, "Locked")]
)
def test_an_object_that_is_refused_in_other_words_is_no_other_ones_trouble(
    bucket: Bucket, status: int, code: str
) -> None:
    """One with a customer's key, or whose key is disabled."""
    for name in ("a.bin", "b.bin"):
        bucket.put(name, DATA)
    answering(bucket, "a.bin", refusal(status, code))
    connector = bucket.connect()
    with pytest.raises(DocumentError, match=rf"'a\.bin' .* answers {status} {code}\.") as caught:
        connector.fetch("a.bin", None)
    assert caught.type is DocumentError
    connector.fetch("b.bin", None)
    bucket.relay.before.append(lambda asked: refusal(status, code))
    with pytest.raises(SourceUnavailable, match=f"answers {status} {code}"):
        connector.fetch("a.bin", None)


@pytest.mark.parametrize("code", ["ExpiredToken", "AuthorizationHeaderMalformed", "NoSuchBucket"])
def test_a_refusal_that_is_the_sources_is_told_without_another_question(bucket: Bucket, code: str) -> None:
    bucket.put("a.bin", DATA)
    answering(bucket, "a.bin", refusal(400, code))
    with pytest.raises(SourceUnavailable):
        bucket.connect().fetch("a.bin", None)
    assert len(bucket.relay.asked) == 1


def test_credentials_that_end_with_one_document_are_those_of_the_source(bucket: Bucket) -> None:
    """The refusal of an object alone is no evidence about it when the bucket refuses everything."""
    bucket.put("a.bin", DATA)
    bucket.relay.before.append(lambda asked: refusal(403, "AccessDenied"))
    with pytest.raises(SourceUnavailable, match="may not be listed"):
        bucket.connect().fetch("a.bin", None)


def test_an_answer_that_is_not_understood_is_that_documents(bucket: Bucket) -> None:
    for name in ("a.bin", "b.bin"):
        bucket.put(name, DATA)
    bucket.relay.after.append(
        lambda asked, reply: replace(
            reply, measured=not bucket.is_of(asked, "a.bin") or asked.method != "GET"
        )
    )
    connector = bucket.connect()
    with pytest.raises(DocumentError, match="is not understood"):
        connector.fetch("a.bin", None)
    connector.fetch("b.bin", None)


def test_an_object_that_is_stored_packed_is_read_as_it_is_stored(gcs: GcsBucket, tmp_path: Path) -> None:
    packed = gzip.compress(DATA)
    gcs.put_packed("a.bin", packed)
    connector = gcs.connect()
    fetched = connector.fetch("a.bin", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == packed
    assert [fetched.entry] == list(connector.list()) == [connector.stat("a.bin")]
    assert not any("accept-encoding" in asked.headers for asked in gcs.relay.asked if asked.lists)


def test_a_document_that_went_is_gone_only_when_the_bucket_says_so(bucket: Bucket) -> None:
    bucket.put("a.bin", DATA)
    connector = bucket.connect()
    bucket.remove("a.bin")
    with pytest.raises(DocumentVanished):
        connector.fetch("a.bin", None)
    bucket.relay.before.append(lambda asked: Reply(404, b"nothing here"))
    with pytest.raises(SourceUnavailable):
        connector.fetch("a.bin", None)
    with pytest.raises(SourceUnavailable):
        connector.stat("a.bin")


def test_a_document_costs_one_request_and_a_question_for_it_one(bucket: Bucket) -> None:
    bucket.put("a.bin", DATA)
    connector = bucket.connect()
    connector.fetch("a.bin", None)
    assert len(bucket.relay.asked) == 1
    connector.stat("a.bin")
    assert len(bucket.relay.asked) == 2
