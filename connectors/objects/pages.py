"""A page of ListObjectsV2, read strictly: what is not surely a page of this bucket is refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from urllib.parse import unquote_plus
from xml.etree import ElementTree

from connectors.objects.keys import StoredObject, strong

SECOND = 1_000_000_000


class NotAPage(Exception):
    """The answer is not a page of this bucket's listing; the message ends a sentence that begins with it."""


class Page(NamedTuple):
    objects: Sequence[StoredObject]
    next_token: str | None
    """Asks for the next page; None when the service says that there is none."""
    unread: int
    """Entries that are not well-formed."""


def page_of(body: bytes, bucket: str, prefix: str) -> Page:
    """The page. Raises NotAPage for another document, another bucket's page, keys outside of the prefix,
    and a page that contradicts itself."""
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError:
        raise NotAPage("is not XML: a portal or another server may stand in between") from None
    name = _local(root.tag)
    if name == "ListAllMyBucketsResult":
        raise NotAPage(
            "is the list of buckets: the endpoint does not lead to the bucket (see virtual_hosted)"
        )
    if name != "ListBucketResult":
        raise NotAPage(f"is a {name[:40]!r} and no ListBucketResult: the endpoint is not that of the bucket")
    said: dict[str, str] = {}
    contents, groups = [], 0
    for element in root:
        match _local(element.tag):
            case "Contents":
                contents.append(element)
            case "CommonPrefixes":
                groups += 1
            case tag:
                said[tag] = element.text or ""
    # The alias of an access point is answered with the bucket's own name or with the access point's.
    if said.get("Name") != bucket and not bucket.endswith("-s3alias"):
        raise NotAPage(f"is of the bucket {said.get('Name', '')[:80]!r}: check url and endpoint")
    quoted = said.get("EncodingType") == "url"
    objects, unread = [], 0
    for element in contents:
        found = _object(element, quoted)
        if found is None:
            unread += 1
        elif not found.key.startswith(prefix):
            raise NotAPage("has keys that do not begin with the prefix: the service ignores it")
        else:
            objects.append(found)
    counted = said.get("KeyCount", "")
    if counted.isdecimal() and int(counted) > len(contents) + groups:
        raise NotAPage(f"says that it has {int(counted):,} keys and shows {len(contents) + groups:,}")
    return Page(objects, _next_token(said), unread)


def _next_token(said: dict[str, str]) -> str | None:
    match said.get("IsTruncated", "").lower():
        case "false":
            return None
        case "true":
            if token := said.get("NextContinuationToken"):
                return token
            raise NotAPage("says that more keys follow, and does not say how to ask for them")
        case _:
            raise NotAPage("does not say whether more keys follow")


def _object(element: ElementTree.Element, quoted: bool) -> StoredObject | None:
    """None when it is not well-formed."""
    said = {_local(part.tag): part.text or "" for part in element}
    try:
        key = said["Key"]
        # As form fields are: a blank may be a plus sign, and a plus sign never is itself.
        key = unquote_plus(key, errors="strict") if quoted else key
        modified = datetime.fromisoformat(said["LastModified"])
        size = int(said["Size"])
    except (KeyError, ValueError):
        return None
    if not key or size < 0 or modified.tzinfo is None:
        return None
    return StoredObject(key, strong(said.get("ETag")), size, int(modified.timestamp()) * SECOND)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
