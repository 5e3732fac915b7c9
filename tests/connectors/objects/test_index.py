"""From the configuration of a bucket to the index, and what unchanged objects cost."""

from __future__ import annotations

import pytest

from index.model import State
from index.search.knowledge_base import KnowledgeBase
from index.verify.compare import verify
from tests.connectors.objects.buckets import ACCESS_KEY, SECRET_KEY, Bucket, S3Bucket
from tests.connectors.objects.relay import refusal
from tests.knowledge import Knowledge, counts
from tests.soak import LONG

LEAVE = "# Leave\n\nParents take sixteen weeks.\n"
TRAVEL = "# Travel\n\nTrains come first.\n"


@pytest.fixture(params=["s3", pytest.param("azure", marks=LONG)])
def indexed(request: pytest.FixtureRequest) -> Bucket:
    """One that we list, and one that obstore lists."""
    found: Bucket = request.getfixturevalue(request.param)
    return found


def source(kb: Knowledge, bucket: Bucket, **more: object) -> None:
    kind = {"s3": "s3", "gs": "gcs", "az": "azure"}[bucket.scheme]
    kb.settings["sources"] = [{"id": "docs", "type": kind, **bucket.settings("docs", **more)}]


def hits(kb: Knowledge, query: str) -> list[str]:
    with kb.workspace() as workspace:
        return [hit.uri for hit in KnowledgeBase(workspace).search(query, mode="sparse")]


def test_a_bucket_is_found_edited_gone_and_back(kb: Knowledge, indexed: Bucket) -> None:
    bucket = indexed
    source(kb, bucket)
    bucket.put("docs/leave.md", LEAVE.encode())
    bucket.put("docs/a/travel.md", TRAVEL.encode())
    assert counts(kb.sync()) == {"added": 2, "embedded": 2}
    assert hits(kb, "sixteen weeks") == ["leave.md"]
    bucket.put("docs/leave.md", LEAVE.replace("sixteen", "twenty").encode())
    assert counts(kb.sync()) == {"updated": 1, "unchanged": 1, "embedded": 1}
    assert hits(kb, "twenty weeks") == ["leave.md"]
    bucket.remove("docs/leave.md")
    bucket.put("docs/leave-of-parents.md", LEAVE.replace("sixteen", "twenty").encode())
    assert counts(kb.sync()) == {"moved": 1, "unchanged": 1, "embedded": 0}
    bucket.remove("docs/a/travel.md")
    assert counts(kb.sync()) == {"deleted": 1, "unchanged": 1, "embedded": 0}
    assert hits(kb, "trains") == []
    bucket.put("docs/a/travel.md", TRAVEL.encode())
    assert counts(kb.sync())["added"] == 1
    assert kb.ask(lambda workspace: verify(workspace, deep=True)).ok


def test_unchanged_objects_cost_no_download(kb: Knowledge, indexed: Bucket) -> None:
    bucket = indexed
    source(kb, bucket)
    for number in range(20):
        bucket.put(f"docs/{number:02}.md", f"# Page {number}\n\nText.\n".encode())
    kb.sync()
    bucket.relay.asked.clear()
    assert counts(kb.sync()) == {"unchanged": 20, "embedded": 0}
    assert sum(bucket.is_of(asked, f"docs/{n:02}.md") for asked in bucket.relay.asked for n in range(20)) == 0
    assert len(bucket.relay.asked) <= 7


def test_what_a_bucket_hides_is_not_removed(kb: Knowledge, indexed: Bucket) -> None:
    bucket = indexed
    source(kb, bucket)
    for number in range(4):
        bucket.put(f"docs/{number}.md", f"# Page {number}\n\nText {number}.\n".encode())
    kb.sync()
    bucket.page_by(2)
    bucket.relay.before.append(lambda asked: refusal(403, "AccessDenied") if asked.next_page else None)
    report = kb.sync()
    assert report.sources[0].error is not None
    assert "deleted" not in counts(report)
    assert {document.state for document in kb.documents().values()} == {State.INDEXED}


def test_a_removal_that_the_bucket_does_not_confirm_is_none(kb: Knowledge, s3: S3Bucket) -> None:
    """A listing that lacks a document, and a bucket that has it when it is asked for that one."""
    source(kb, s3)
    for name in ("a", "b"):
        s3.put(f"docs/{name}.md", f"# {name}\n\nText.\n".encode())
    kb.sync()
    real = f"docs/{'b'}.md"
    data = s3.client.get_object(Bucket=s3.name, Key=real)["Body"].read()
    s3.remove(real)

    def back(asked: object) -> None:
        # It is back once the listing has ended.
        if getattr(asked, "query", {}).get("start-after"):
            s3.put(real, data)

    s3.relay.before.append(back)
    kb.sync()
    assert {document.state for document in kb.documents().values()} == {State.INDEXED}


def test_metadata_of_a_bucket_is_the_documents_metadata(kb: Knowledge, s3: S3Bucket) -> None:
    source(kb, s3, metadata=True)
    s3.put("docs/leave", LEAVE.encode(), content_type="text/markdown", owner="user:anna", title="Parents")
    assert counts(kb.sync()) == {"added": 1, "embedded": 1}
    document = kb.documents()["leave"]
    assert (document.content_type, document.owner) == ("text/markdown", "user:anna")
    s3.relay.asked.clear()
    assert counts(kb.sync()) == {"unchanged": 1, "embedded": 0}
    assert s3.relay.requests("HEAD") == 0


def test_keys_are_in_nothing_that_is_kept(kb: Knowledge, s3: S3Bucket) -> None:
    source(kb, s3, session_token="session-token-SECRET")
    s3.put("docs/leave.md", LEAVE.encode())
    kb.sync()
    s3.relay.before.append(lambda asked: refusal(403, "SignatureDoesNotMatch"))
    (report,) = kb.sync().sources
    assert report.error is not None and "does not know these credentials" in report.error
    kept = b"".join(path.read_bytes() for path in (kb.home / ".freshkb").rglob("*") if path.is_file())
    assert SECRET_KEY.encode() not in kept and b"SECRET" not in kept
    assert ACCESS_KEY.encode() not in kept
