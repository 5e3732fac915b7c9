"""Keys: spelled as uris and back, left out when they are no path, folders that are objects, versions."""

from __future__ import annotations

from typing import Any

import pytest

from connectors.objects.keys import NAMED, StoredObject, is_folder, key_of, leave_out, strong, uri_of
from tests.connectors.objects.buckets import Bucket, S3Bucket

SPELLED = {
    "a.md": "a.md",
    "a b+c&d=e?f#g.md": "a b+c&d=e?f#g.md",
    "100%.md": "100%.md",
    "p%20q.md": "p%2520q.md",
    "dir/é😀.md": "dir/é😀.md",
    "back\\slash~[x]{y}^`|.md": "back\\slash~[x]{y}^`|.md",
    " lead.md": " lead.md",
}
NO_PATHS = ["a//b", "/a", "a/", "//", ".", "..", "a/../b", "./a", "nul\0", "tab\t", "line\n", "del\x7f", ""]


@pytest.mark.parametrize(("key", "uri"), SPELLED.items())
def test_a_key_has_one_uri_and_a_uri_one_key(key: str, uri: str) -> None:
    assert uri_of(f"docs/{key}", "docs/") == uri
    assert key_of(uri, "docs/") == f"docs/{key}"
    assert uri_of(key, "") == uri


@pytest.mark.parametrize("key", NO_PATHS)
def test_a_key_that_is_no_path_has_no_uri(key: str) -> None:
    assert uri_of(f"docs/{key}", "docs/") is None
    assert key_of(key, "docs/") is None


def test_a_key_outside_of_the_prefix_has_no_uri() -> None:
    assert uri_of("other/a.md", "docs/") is None


def test_keys_that_are_no_paths_are_named_up_to_a_number() -> None:
    unlisted: list[Any] = []
    for number in range(NAMED + 5):
        leave_out(f"a//{number}", unlisted)
    assert len(unlisted) == NAMED + 1
    assert unlisted[0].uri == "a//0"
    assert "others besides" in unlisted[-1].reason


def test_a_folder_is_an_empty_object_with_a_slash_at_its_end() -> None:
    assert is_folder(StoredObject("a/", "e", 0, 0))
    assert not is_folder(StoredObject("a/", "e", 1, 0))
    assert not is_folder(StoredObject("a", "e", 0, 0))


@pytest.mark.parametrize(
    ("etag", "token"),
    [
        ('"9b2-3"', "9b2-3"),
        ("0x8D", "0x8D"),
        ('"0x8D"', "0x8D"),
        ('W/"9b2"', None),
        ("", None),
        ('""', None),
        (None, None),
    ],
)
def test_a_token_is_a_strong_etag(etag: str | None, token: str | None) -> None:
    assert strong(etag) == token


def test_keys_of_any_spelling_are_listed_found_and_read(bucket: Bucket) -> None:
    spelled = dict(SPELLED)
    if bucket.scheme == "az":
        # A slash to Azure.
        spelled = {key: uri for key, uri in spelled.items() if "\\" not in key}
    for key in spelled:
        bucket.put(f"docs/{key}", key.encode())
    connector = bucket.connect("docs")
    listing = connector.list()
    found = {entry.uri: entry for entry in listing}
    assert listing.complete
    assert sorted(found) == sorted(spelled.values())
    for key, uri in spelled.items():
        assert connector.stat(uri) == found[uri]
        assert connector.fetch(uri, None).entry == found[uri]
        assert found[uri].size == len(key.encode())


def test_keys_that_are_no_paths_are_named_and_the_others_are_listed(s3: S3Bucket) -> None:
    for key in ("a.md", "b//c.md", "/d.md", "e/../f.md", "ctl\x01.md", "g/", "z.md"):
        s3.put(f"docs/{key}", b"x")
    listing = s3.connect("docs").list()
    assert [entry.uri for entry in listing] == ["a.md", "z.md"]
    assert listing.complete
    named = [one.uri.removeprefix("docs/") for one in listing.unlisted]
    assert sorted(named) == ["/d.md", "b//c.md", "ctl\x01.md", "e/../f.md", "g/"]
    assert all(one.code == "not-a-path" and one.reason.endswith(".") for one in listing.unlisted)


def test_a_folder_that_a_console_made_is_no_document_and_nothing_is_said_of_it(bucket: Bucket) -> None:
    bucket.put("docs/a.md", b"x")
    bucket.put("docs/b.md", b"")
    if bucket.scheme != "az":
        bucket.put("docs/new/", b"")
        bucket.put("docs/new/c.md", b"x")
    listing = bucket.connect("docs").list()
    expected = ["a.md", "b.md"] + (["new/c.md"] if bucket.scheme != "az" else [])
    assert [entry.uri for entry in listing] == expected
    assert listing.complete
    assert listing.unlisted == []


def test_a_prefix_is_a_folder_and_not_the_beginning_of_a_name(bucket: Bucket) -> None:
    for key in ("docs/a.md", "docs-old/b.md", "docs.md"):
        bucket.put(key, b"x")
    assert [entry.uri for entry in bucket.connect("docs").list()] == ["a.md"]
    assert [entry.uri for entry in bucket.connect().list()] == ["docs-old/b.md", "docs.md", "docs/a.md"]


def test_the_beginning_of_a_name_is_another_document(bucket: Bucket) -> None:
    bucket.put("docs/a.md.bak", b"x")
    assert bucket.connect("docs").stat("a.md") is None


def test_a_deleted_document_of_a_versioned_bucket_is_absent_and_comes_back(s3: S3Bucket) -> None:
    enabled = {"Status": "Enabled"}
    s3.client.put_bucket_versioning(Bucket=s3.name, VersioningConfiguration=enabled)
    s3.put("docs/a.md", b"one")
    s3.put("docs/a.md", b"two")
    connector = s3.connect("docs")
    (second,) = connector.list()
    assert connector.fetch("a.md", None).entry == second
    s3.remove("docs/a.md")
    assert list(connector.list()) == []
    assert connector.stat("a.md") is None
    versions = s3.client.list_object_versions(Bucket=s3.name)
    (marker,) = versions["DeleteMarkers"]
    s3.client.delete_object(Bucket=s3.name, Key="docs/a.md", VersionId=marker["VersionId"])
    assert list(connector.list()) == [second]
    latest = next(one for one in versions["Versions"] if one["ETag"].strip('"') == second.token)
    s3.client.delete_object(Bucket=s3.name, Key="docs/a.md", VersionId=latest["VersionId"])
    (first,) = connector.list()
    assert first.token != second.token


def test_hidden_keys_are_left_out_unless_they_are_wanted(bucket: Bucket) -> None:
    for key in (".git/config", "a/.b.md", "a/c.md"):
        bucket.put(key, b"x")
    assert [entry.uri for entry in bucket.connect(hidden=False).list()] == ["a/c.md"]
    assert len(list(bucket.connect(hidden=True).list())) == 3


def test_links_lead_to_the_object(bucket: Bucket) -> None:
    connector = bucket.connect("docs")
    path = "/devstoreaccount1" if bucket.scheme == "az" else ""
    top = f"{bucket.relay.url}{path}/{bucket.name}/docs/"
    assert connector.home() == top
    assert connector.url("a b/p%2520q.md") == f"{top}a%20b/p%2520q.md"
    assert bucket.relay.asked == []
