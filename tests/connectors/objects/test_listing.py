"""Listings on bad days: whole, incomplete or refused, never empty; and what they cost."""

from __future__ import annotations

import threading
from email.utils import formatdate

import pytest

from connectors.base import SourceUnavailable
from connectors.objects.aws import credentials_of
from tests.connectors.objects.buckets import SECRET_KEY, AzureBucket, Bucket, S3Bucket
from tests.connectors.objects.listings import filled, first_page_alone, refused, uris
from tests.connectors.objects.relay import Asked, Reply, refusal


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken"])
def test_credentials_that_expire_on_the_second_page_make_the_listing_incomplete(
    bucket: Bucket, code: str
) -> None:
    filled(bucket).page_by(2)
    bucket.relay.before.append(lambda asked: refusal(400, code) if asked.next_page else None)
    said = first_page_alone(bucket)
    assert "the credentials have expired" in said
    assert said.endswith("sync again.")


def test_credentials_that_are_revoked_half_way_are_no_absence(bucket: Bucket) -> None:
    filled(bucket)
    connector = bucket.connect("docs")
    assert len(uris(connector.list())) == 5
    bucket.relay.before.append(lambda asked: refusal(403, "InvalidAccessKeyId"))
    refused(connector, "does not know these credentials", "Check the keys")
    with pytest.raises(SourceUnavailable, match="credentials"):
        connector.fetch("a.md", None)


def test_what_may_be_read_and_not_listed_is_refused_naming_the_right(bucket: Bucket) -> None:
    filled(bucket)
    bucket.relay.before.append(lambda asked: refusal(403, "AccessDenied") if asked.lists else None)
    connector = bucket.connect("docs")
    right = {"s3": "s3:ListBucket", "gs": "storage.objects.list", "az": "Storage Blob Data Reader"}
    with pytest.raises(SourceUnavailable, match=rf"They need .*{right[bucket.scheme]}"):
        connector.list()
    assert connector.fetch("a.md", None).entry.size == len("docs/a.md")


def test_a_bucket_that_is_not_there_is_named(bucket: Bucket) -> None:
    filled(bucket)
    settings = bucket.settings() | {"url": f"{bucket.scheme}://no-such-bucket/docs"}
    connector = bucket.connected(settings)
    refused(connector, "no-such-bucket", "has no such bucket or container", "Check url and endpoint")
    with pytest.raises(SourceUnavailable, match="no such bucket"):
        connector.fetch("a.md", None)


@pytest.mark.parametrize("code", ["PermanentRedirect", "AuthorizationHeaderMalformed"])
def test_a_bucket_of_another_region_names_the_region(s3: S3Bucket, code: str) -> None:
    answer = refusal(301, code, x_amz_bucket_region="eu-west-1")
    if code != "PermanentRedirect":
        body = b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>"
        answer = Reply(400, body)
    s3.relay.before.append(lambda asked: answer)
    refused(s3.connect("docs"), "lies in region eu-west-1: set region: eu-west-1")


@pytest.mark.parametrize(("asked_for", "least", "most"), [("7", 7, 7), ("86400", 60, 60), ("soon", 0.1, 0.3)])
def test_a_service_that_asks_for_a_pause_is_given_it_within_bounds(
    s3: S3Bucket, asked_for: str, least: float, most: float
) -> None:
    filled(s3)
    left = [refusal(503, "SlowDown", Retry_After=asked_for), refusal(429, "SlowDown")]
    s3.relay.before.append(lambda asked: left.pop(0) if left else None)
    listing = s3.connect("docs", retries=3).list()
    assert len(uris(listing)) == 5
    assert listing.complete
    assert len(s3.pauses) == 2
    assert least <= s3.pauses[0] <= most


def test_a_service_that_never_recovers_is_given_up(bucket: Bucket) -> None:
    bucket.relay.before.append(lambda asked: refusal(503, "SlowDown", Retry_After="1"))
    refused(bucket.connect("docs", retries=1), "503", "asks for fewer requests")
    assert len(bucket.pauses) == (4 if bucket.scheme == "s3" else 0)


def test_an_error_inside_of_a_200_is_one(s3: S3Bucket) -> None:
    filled(s3)
    left = [Reply(200, refusal(200, "InternalError").body)]
    s3.relay.before.append(lambda asked: left.pop() if left else None)
    assert len(uris(s3.connect("docs", retries=1).list())) == 5
    left = [Reply(200, refusal(200, "InternalError").body)]
    with pytest.raises(SourceUnavailable, match="InternalError"):
        s3.connect("docs").list()


def test_a_page_that_breaks_off_is_asked_for_again_or_incomplete(bucket: Bucket) -> None:
    filled(bucket).page_by(2)
    times = [2]

    def broken(asked: Asked, reply: Reply) -> Reply:
        if asked.next_page and times[0]:
            times[0] -= 1
            return Reply(reply.status, reply.body, reply.headers, cut=len(reply.body) // 2)
        return reply

    bucket.relay.after.append(broken)
    first_page_alone(bucket)
    if bucket.scheme == "s3":
        listing = bucket.connect("docs", retries=1).list()
        assert len(uris(listing)) == 5
        assert listing.complete


def test_a_clock_that_is_wrong_is_named(s3: S3Bucket) -> None:
    s3.relay.before.append(lambda asked: refusal(403, "RequestTimeTooSkewed"))
    refused(s3.connect("docs"), "this machine's clock differs", "Set the clock")


def test_a_clock_that_is_wrong_is_told_from_a_refusal_without_a_code(s3: S3Bucket) -> None:
    date = formatdate(1_600_000_000, usegmt=True)
    s3.relay.before.append(lambda asked: refusal(403, "AccessDenied", Date=date))
    message = refused(s3.connect("docs"), "this machine's clock differs", "seconds")
    assert "s3:ListBucket" not in message


@pytest.mark.parametrize(
    ("detail", "said"),
    [
        ("Request date header too old: 'Mon, 01 Jan 2024'", "this machine's clock differs"),
        (
            "Signature not valid in the specified time frame: Start [x] - Expiry [y]",
            "credentials have expired",
        ),
    ],
)
def test_reasons_that_azure_gives_in_words_are_understood(azure: AzureBucket, detail: str, said: str) -> None:
    body = f"<Error><Code>AuthenticationFailed</Code><Message>{detail}</Message></Error>".encode()
    azure.relay.before.append(lambda asked: Reply(403, body))
    with pytest.raises(SourceUnavailable, match=said):
        azure.connect("docs").list()


def test_silence_ends(bucket: Bucket) -> None:
    filled(bucket)
    over = threading.Event()

    def silent(asked: Asked) -> None:
        over.wait(20)

    bucket.relay.before.append(silent)
    try:
        with pytest.raises(SourceUnavailable, match=r"did not answer in time"):
            bucket.connect("docs", timeout=1).list()
    finally:
        over.set()


def test_a_failure_of_one_hinted_folder_is_none_of_the_others(s3: S3Bucket) -> None:
    for key in ("docs/a/1.md", "docs/b/2.md"):
        s3.put(key, b"x")
    s3.relay.before.append(
        lambda asked: refusal(500, "InternalError") if asked.query.get("prefix") == "docs/b/" else None
    )
    listing = s3.connect("docs").list(["a", "b"])
    assert uris(listing) == ["a/1.md"]
    assert not listing.complete


# ── What a listing costs ──────────────────────────────────────────────────────────────────────────────


def test_a_listing_asks_once_a_page_and_once_for_its_end(bucket: Bucket) -> None:
    filled(bucket).page_by(2)
    assert len(uris(bucket.connect("docs").list())) == 5
    assert bucket.relay.requests(lists=True) == 4
    assert bucket.relay.requests(lists=False) == (0 if bucket.scheme == "s3" else 1)


def test_credentials_are_looked_for_once(s3: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(s3).page_by(2)
    looked: list[str | None] = []

    def counted(profile: str | None) -> object:
        looked.append(profile)
        return credentials_of(profile)

    monkeypatch.setattr("connectors.objects.s3_bucket.credentials_of", counted)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    connector = s3.connect("docs", access_key_id=None, secret_access_key=None)
    assert len(uris(connector.list())) == 5
    assert looked == [None]
