"""Content types and user metadata: asked for once a version, kept in the cache, forgotten with it."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from connectors.base import DocumentForbidden, Entry
from connectors.objects.descriptions import Description, Descriptions, description_of
from connectors.objects.keys import StoredObject
from tests.connectors.objects.buckets import Bucket, S3Bucket
from tests.connectors.objects.relay import Asked, Reply, refusal


def heads(bucket: Bucket) -> int:
    found = bucket.relay.requests("HEAD")
    bucket.relay.asked.clear()
    return found


def by_uri(bucket: Bucket, cache: Path | None) -> dict[str, Entry]:
    connector = bucket.connect("docs", cache=cache, metadata=True)
    listing = connector.list()
    found = {entry.uri: entry for entry in listing}
    assert listing.complete
    return found


def said(bucket: Bucket) -> dict[str, str]:
    """Metadata by names that the service takes."""
    if bucket.scheme == "az":
        return {"owner": "user:anna", "last_reviewed": "2026-05-01"}
    return {"owner": "user:anna", "last-reviewed": "2026-05-01"}


def test_what_an_object_says_of_itself_is_asked_for_once(bucket: Bucket, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    bucket.put("docs/a", b"<p>x", content_type="text/html; charset=utf-8", **said(bucket))
    bucket.put("docs/b.md", b"x")
    found = by_uri(bucket, cache)
    assert found["a"].format == "text/html; charset=utf-8"
    assert found["a"].properties == {"owner": "user:anna", "last_reviewed": "2026-05-01"}
    assert (found["b.md"].format, found["b.md"].properties) == (None, {})
    assert heads(bucket) == 2
    assert by_uri(bucket, cache) == found
    assert heads(bucket) == 0
    connector = bucket.connect("docs", cache=cache, metadata=True)
    for uri, entry in found.items():
        assert connector.fetch(uri, None).entry == entry
        assert connector.stat(uri) == entry
    bucket.put("docs/a", b"<p>y", content_type="text/html", owner="user:bo")
    assert by_uri(bucket, cache)["a"].properties == {"owner": "user:bo"}


def test_metadata_is_not_asked_for_unless_it_is_wanted(bucket: Bucket, tmp_path: Path) -> None:
    bucket.put("docs/a", b"x", content_type="text/html", owner="user:anna")
    connector = bucket.connect("docs", cache=tmp_path / "cache")
    (entry,) = connector.list()
    assert (entry.format, entry.properties) == (None, None)
    assert heads(bucket) == 0
    assert not (tmp_path / "cache").exists()
    assert connector.capabilities.detects == {"dates"}
    assert "owners" in bucket.connect(metadata=True).capabilities.detects


def test_a_cache_that_went_or_broke_costs_requests_alone(s3: S3Bucket, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    s3.put("docs/a.md", b"x", owner="user:anna")
    found = by_uri(s3, cache)
    shutil.rmtree(cache)
    assert by_uri(s3, cache) == found
    (cache / "descriptions.db").write_bytes(b"no database, whatever its name says" * 100)
    assert by_uri(s3, cache) == found
    assert by_uri(s3, None) == found
    assert heads(s3) == 4


def test_the_cache_forgets_the_names_of_what_is_gone(s3: S3Bucket, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    for name in ("secret-plan", "b"):
        s3.put(f"docs/{name}.md", b"x")
    by_uri(s3, cache)
    s3.remove("docs/secret-plan.md")
    s3.relay.before.append(lambda asked: refusal(500, "InternalError") if asked.lists else None)
    with pytest.raises(Exception, match="InternalError"):
        by_uri(s3, cache)
    assert b"secret-plan" in (cache / "descriptions.db").read_bytes()
    s3.relay.before.clear()
    assert list(by_uri(s3, cache)) == ["b.md"]
    assert b"secret-plan" not in b"".join(path.read_bytes() for path in cache.iterdir())
    with sqlite3.connect(cache / "descriptions.db") as database:
        assert database.execute("SELECT key FROM description").fetchall() == [("docs/b.md",)]
    database.close()


def test_no_byte_of_a_forgotten_name_is_left(tmp_path: Path) -> None:
    kept = Descriptions(tmp_path / "cache", lambda key: Description(None, {"title": key}))
    found = [StoredObject(f"docs/{number:03}-secret-plan.md", "e", 1, 1) for number in range(300)]
    kept.of(found, "first")
    kept.of([one for one in found if one.key.startswith("docs/0")], "second")
    kept.forget_others("second")
    left = b"".join(path.read_bytes() for path in (tmp_path / "cache").iterdir())
    assert b"docs/099-secret-plan" in left
    assert not any(one.key.encode() in left for one in found[100:])


def test_half_a_character_that_was_kept_is_replaced(tmp_path: Path) -> None:
    kept = Descriptions(tmp_path / "cache", lambda key: Description(None, {"owner": "user:\ud83d"}))
    one = StoredObject("docs/a.md", "e", 1, 1)
    kept.of([one])
    assert kept.of([one]) == [Description(None, {"owner": "user:?"})]


def test_metadata_changed_in_place_is_seen_although_the_bytes_stay(s3: S3Bucket, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    s3.put("docs/a.md", b"x", owner="user:anna")
    before = by_uri(s3, cache)["a.md"]
    database = sqlite3.connect(cache / "descriptions.db")
    with database:
        # As long ago as a date in whole seconds can tell.
        database.execute("UPDATE description SET modified_at = modified_at - 1000000000")
    database.close()
    s3.client.copy_object(
        Bucket=s3.name,
        Key="docs/a.md",
        CopySource=f"{s3.name}/docs/a.md",
        Metadata={"owner": "user:bo"},
        MetadataDirective="REPLACE",
    )
    after = by_uri(s3, cache)["a.md"]
    assert after.token == before.token
    assert after.properties == {"owner": "user:bo"}


def test_an_object_whose_metadata_cannot_be_had_makes_the_listing_incomplete(bucket: Bucket) -> None:
    for name in ("a", "b"):
        bucket.put(f"docs/{name}.md", b"x")
    bucket.relay.before.append(
        lambda asked: (
            refusal(403, "AccessDenied")
            if asked.method == "HEAD" and bucket.is_of(asked, "docs/a.md")
            else None
        )
    )
    connector = bucket.connect("docs", metadata=True)
    listing = connector.list()
    assert [entry.uri for entry in listing] == ["b.md"]
    assert "metadata of 'a.md' and 0 more" in listing.errors[0]
    with pytest.raises(DocumentForbidden, match=r"'a\.md' may not be read"):
        connector.stat("a.md")


def test_metadata_that_nobody_may_read_any_more_is_no_fault_of_its_objects(s3: S3Bucket) -> None:
    """S3 answers 400 to a token that has expired, and says that only where there is a body."""
    s3.put("docs/a.md", b"x")
    ended: list[bool] = []

    def expire(asked: Asked) -> Reply | None:
        ended.append(asked.method == "HEAD")
        return refusal(400, "ExpiredToken") if any(ended) else None

    s3.relay.before.append(expire)
    listing = s3.connect("docs", metadata=True).list()
    assert list(listing) == []
    assert len(listing.errors) == 1 and "the credentials have expired" in listing.errors[0]


@pytest.mark.parametrize(
    ("attributes", "format", "properties"),
    [
        ({"Content-Type": "application/octet-stream"}, None, {}),
        ({"Content-Type": "binary/octet-stream", "Cache-Control": "no-store"}, None, {}),
        ({"Content-Type": "text/html", "title": "=?UTF-8?Q?Caf=C3=A9?="}, "text/html", {"title": "Café"}),
        ({"title": "=?nonsense?="}, None, {"title": "=?nonsense?="}),
        ({"owner": "=?utf-7?q?user:+2AA-?="}, None, {"owner": "user:?"}),
        ({"owner": "=?unicode_escape?q?\\ud83d?="}, None, {"owner": "?"}),
        ({"Last-Reviewed": "2026-05-01", "owner": "a"}, None, {"last_reviewed": "2026-05-01", "owner": "a"}),
    ],
)
def test_headers_say_format_and_properties(
    attributes: dict[str, str], format: str | None, properties: dict[str, str]
) -> None:
    assert description_of(attributes) == (format, properties)
