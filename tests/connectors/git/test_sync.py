"""From a repository on a server to the index, and back out of it."""

from __future__ import annotations

import base64
import random
from datetime import UTC, datetime

from index.search.knowledge_base import KnowledgeBase
from index.verify.compare import verify
from tests.connectors.git.origin import BEGIN, Origin, git
from tests.connectors.git.servers import HttpServer
from tests.connectors.git.test_history import Steps
from tests.knowledge import Knowledge, counts


def test_a_repository_is_indexed_searched_changed_and_emptied(
    kb: Knowledge, origin: Origin, url: str
) -> None:
    travel = "# Travel\n\nTrains come first.\n\n## Hotels\n\nBook early, and pay by card.\n"
    origin.add({"travel.md": travel.encode(), "docs/leave.md": b"# Leave\n\nParents take sixteen weeks.\n"})
    origin.commit({"CODEOWNERS": b"docs/ @anna\n", "logo.bin": b"\0"}, author="Bo")
    kb.settings["sources"] = [{"id": "docs", "type": "git", "repository": url, "branch": "main"}]
    assert counts(kb.sync()) == {"added": 2, "skipped": 2, "embedded": 3}
    assert counts(kb.sync()) == {"unchanged": 2, "skipped": 2, "embedded": 0}
    found = kb.documents()
    assert (found["docs/leave.md"].owner, found["docs/leave.md"].owner_source) == ("@anna", "CODEOWNERS")
    assert found["travel.md"].modified_at == datetime.fromtimestamp(BEGIN + 120, UTC)
    assert found["travel.md"].url == f"{url}#travel.md"
    with kb.workspace() as workspace:
        assert KnowledgeBase(workspace).search("parents", mode="sparse")[0].uri == "docs/leave.md"
    before = found["travel.md"].document_id
    # A rename with an edit, in one push.
    edited = travel.replace("Trains come first", "Trains come last")
    origin.commit({"rules/travel.md": edited.encode()}, remove=["travel.md"])
    assert counts(kb.sync()) == {"moved": 1, "unchanged": 1, "skipped": 2, "embedded": 1}
    assert kb.documents()["rules/travel.md"].document_id == before
    origin.commit(remove=["docs/leave.md"])
    assert counts(kb.sync())["deleted"] == 1
    assert set(kb.texts()) == {"rules/travel.md"}
    # A branch that is gone removes nothing.
    git(origin.path, "update-ref", "refs/heads/kept", "main")
    git(origin.path, "update-ref", "-d", "refs/heads/main")
    (report,) = kb.sync().sources
    assert "has no branch 'main'" in (report.error or "")
    assert set(kb.texts()) == {"rules/travel.md"}
    git(origin.path, "update-ref", "refs/heads/main", "kept")
    assert kb.ask(lambda workspace: verify(workspace, deep=True)).ok


def test_a_token_is_in_nothing_that_a_sync_keeps_or_reports(
    kb: Knowledge, origin: Origin, url: str, http: HttpServer
) -> None:
    secret = "verysecrettoken"
    origin.commit({"a.md": b"One.\n"})
    http.token = secret
    kb.settings["sources"] = [{"id": "docs", "type": "git", "repository": url, "token": secret}]
    assert counts(kb.sync()) == {"added": 1, "embedded": 1}
    http.token = "another"
    origin.commit({"b.md": b"Two.\n"})
    report = kb.sync()
    assert "refuses these credentials" in (report.sources[0].error or "")
    basic = base64.b64encode(f"x-access-token:{secret}".encode()).decode()
    kept = [path for path in kb.home.rglob("*") if path.is_file() and path.name != "freshkb.yaml"]
    assert any(path.name == "tree.db" for path in kept)
    for path in kept:
        content = path.read_bytes()
        assert secret.encode() not in content and basic.encode() not in content, path
    assert secret not in str(report.json()) and basic not in str(report.json())


def test_an_index_that_followed_a_history_is_that_of_its_end(
    kb: Knowledge, origin: Origin, soak: bool
) -> None:
    steps, chosen = Steps(origin, 11), random.Random(11)
    for _ in range(10_000 if soak else 60):
        steps.step()
    origin.flush()
    line = git(origin.path, "rev-list", "--first-parent", "--reverse", "main").split()
    kb.settings["sources"] = [
        {"id": "docs", "type": "git", "repository": str(origin.path), "delete": {"max_count": 100_000}}
    ]
    position = 0
    while position < len(line) - 1:
        position = min(len(line) - 1, position + chosen.randrange(1, 200 if soak else 30))
        git(origin.path, "update-ref", "refs/heads/main", line[position])
        kb.sync()
    expected = {name.decode(): text.decode() for name, text in origin.files.items()}
    assert {uri: text.strip() for uri, text in kb.texts().items()} == expected
    assert kb.ask(lambda workspace: verify(workspace)).ok
