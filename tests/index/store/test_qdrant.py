"""The server store: the contract against the client's in-memory engine, and against a real server when
FRESHKB_TEST_QDRANT_URL names one; and its answers to a server that fails."""

from __future__ import annotations

import http.server
import json
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from qdrant_client import QdrantClient, models

from index.errors import ConfigError, StoreError, StoreMismatch
from index.store import open_store
from index.store.base import VectorStore
from index.store.qdrant.store import QdrantStore
from tests.contracts.store_contract import DIMENSION, NAME, Opened, StoreContract, point, uid
from tests.qdrant import OneAtATime


@pytest.fixture
def memory() -> QdrantClient:
    return cast(QdrantClient, OneAtATime())


@pytest.fixture
def store(memory: QdrantClient) -> VectorStore:
    store = QdrantStore("memory", client=memory)
    store.create(NAME, dimension=DIMENSION, instance="ledger-1")
    return store


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
class TestInMemory(StoreContract):
    claim = "unretrievable"

    @pytest.fixture
    def opened(self, memory: QdrantClient) -> Opened:
        return lambda: QdrantStore("memory", client=memory)


@pytest.mark.skipif(
    not os.environ.get("FRESHKB_TEST_QDRANT_URL"), reason="FRESHKB_TEST_QDRANT_URL names no server"
)
class TestServer(StoreContract):
    claim = "unretrievable"

    @pytest.fixture
    def opened(self) -> Iterator[Opened]:
        """A server of one's own, as it is emptied of what freshkb made."""
        made: list[VectorStore] = []

        def opened() -> VectorStore:
            made.append(QdrantStore(os.environ["FRESHKB_TEST_QDRANT_URL"]))
            return made[-1]

        def clear() -> None:
            store = opened()
            for name in store.collections():
                store.drop(name)

        clear()
        yield opened
        clear()
        for store in made:
            store.close()


@pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning")
class TestWhatAServerMayDo:
    def test_a_write_that_is_not_completed_is_an_error(
        self, memory: QdrantClient, store: VectorStore
    ) -> None:
        for status in (models.UpdateStatus.ACKNOWLEDGED, models.UpdateStatus.WAIT_TIMEOUT):
            late = models.UpdateResult(operation_id=1, status=status)
            vars(memory).update(upsert=lambda *_, r=late, **__: r, delete=lambda *_, r=late, **__: r)
            with store.session(NAME) as session:
                with pytest.raises(StoreError, match=f"did not confirm a write: its status is {status}"):
                    session.upsert([point(1)])
                with pytest.raises(StoreError, match=f"did not confirm a write: its status is {status}"):
                    session.delete([uid(1)])

    def test_every_write_waits(self, memory: QdrantClient, store: VectorStore) -> None:
        waited: list[bool] = []

        def written(*_: Any, wait: bool = False, **__: Any) -> models.UpdateResult:
            waited.append(wait)
            return models.UpdateResult(operation_id=1, status=models.UpdateStatus.COMPLETED)

        vars(memory).update(upsert=written, delete=written)
        with store.session(NAME) as session:
            session.upsert([point(n) for n in range(700)])
            session.delete([uid(n) for n in range(700)])
        assert waited == [True] * 4

    @pytest.mark.parametrize("version", ["1.18.9", "0.11.0", "unknown"])
    def test_an_older_server_is_refused(self, memory: QdrantClient, version: str) -> None:
        vars(memory)["info"] = lambda: models.VersionInfo(title="qdrant", version=version)
        with pytest.raises(StoreError, match=rf"version {version}; freshkb needs 1\.19 or later"):
            QdrantStore("memory", client=memory).instance(NAME)

    @pytest.mark.parametrize("version", ["1.19.0", "1.20.1-dev", "2.0.0"])
    def test_a_newer_server_is_taken(self, memory: QdrantClient, version: str) -> None:
        vars(memory)["info"] = lambda: models.VersionInfo(title="qdrant", version=version)
        assert QdrantStore("memory", client=memory).instance(NAME) is None

    def test_a_collection_cut_short_while_it_was_made_is_made_anew(self, memory: QdrantClient) -> None:
        for step in ("create_payload_index", "update_collection"):
            store = QdrantStore("memory", client=memory)
            vars(memory)[step] = lambda *_, **__: 1 / 0
            with pytest.raises(StoreError, match="could not make collection 'kb-1'"):
                store.create(NAME, dimension=3, instance="ledger-1")
            del vars(memory)[step]
            assert store.instance(NAME) is None
            assert store.collections() == []
            store.create(NAME, dimension=DIMENSION, instance="ledger-2")
            assert store.instance(NAME) == "ledger-2"
            with store.session(NAME) as session:
                session.upsert([point(1)])
            store.drop(NAME)

    def test_a_collection_of_somebody_else_is_neither_listed_used_nor_dropped(
        self, memory: QdrantClient
    ) -> None:
        memory.create_collection(
            NAME, vectors_config=models.VectorParams(size=3, distance=models.Distance.DOT)
        )
        store = QdrantStore("memory", client=memory)
        assert store.collections() == []
        assert store.instance(NAME) is None
        with pytest.raises(StoreError, match="already has a collection"):
            store.create(NAME, dimension=3, instance="ledger-1")
        with pytest.raises(StoreError, match="no collection"), store.session(NAME):
            pass
        with pytest.raises(StoreError, match="was not made by freshkb"):
            store.drop(NAME)
        assert memory.collection_exists(NAME)

    def test_the_published_name_leads_to_the_collection(
        self, memory: QdrantClient, store: VectorStore
    ) -> None:
        store.publish("kb", NAME)
        with store.session(NAME) as session:
            session.upsert([point(1)])
        assert memory.count("kb").count == 1
        store.create("kb-2", dimension=DIMENSION, instance="ledger-1")
        store.publish("kb", "kb-2")
        assert memory.count("kb").count == 0

    def test_a_published_name_is_not_taken_from_another_owner(
        self, memory: QdrantClient, store: VectorStore
    ) -> None:
        store.publish("kb", NAME)
        store.create("kb-2", dimension=DIMENSION, instance="ledger-2")
        with pytest.raises(StoreMismatch, match=r"another knowledge base \(ledger-1\).*index\.collection"):
            store.publish("kb", "kb-2")
        assert store.published("kb") == NAME
        store.drop(NAME)
        store.publish("kb", "kb-2")
        assert store.published("kb") == "kb-2"

    def test_a_name_that_leads_to_a_foreign_collection_is_left_alone(
        self, memory: QdrantClient, store: VectorStore
    ) -> None:
        memory.create_collection(
            "theirs", vectors_config=models.VectorParams(size=3, distance=models.Distance.DOT)
        )
        alias = models.CreateAlias(collection_name="theirs", alias_name="kb")
        memory.update_collection_aliases([models.CreateAliasOperation(create_alias=alias)])
        with pytest.raises(StoreMismatch, match="was not made by freshkb"):
            store.publish("kb", NAME)
        assert store.published("kb") == "theirs"

    def test_fields_that_are_filtered_by_are_indexed(self, memory: QdrantClient) -> None:
        indexed: dict[str, str] = {}

        def index(_: str, field: str, *, field_schema: models.PayloadSchemaType, wait: bool) -> Any:
            indexed[field] = field_schema.value
            assert wait
            return models.UpdateResult(operation_id=1, status=models.UpdateStatus.COMPLETED)

        vars(memory)["create_payload_index"] = index
        QdrantStore("memory", client=memory).create(NAME, dimension=3, instance="ledger-1")
        assert indexed == {
            "metadata.source": "keyword",
            "metadata.owner": "keyword",
            "metadata.owners": "keyword",
            "metadata.document_id": "keyword",
            "metadata.warn_at": "datetime",
        }


# ── Over the wire ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_is_not_there_is_an_error_with_its_address() -> None:
    store = QdrantStore("http://127.0.0.1:1")
    with pytest.raises(StoreError, match=r"Qdrant server at http://127\.0\.0\.1:1 could not be reached"):
        store.collections()
    store.close()


@pytest.fixture
def broken_server() -> Iterator[str]:
    """Introduces itself as Qdrant, and fails at everything else."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.headers["api-key"] == "key"
            body = json.dumps({"title": "qdrant", "version": "1.20.0"}).encode()
            self.send_response(200 if self.path == "/" else 500)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.filterwarnings("ignore:Api key is used with an insecure connection:UserWarning")
def test_what_a_server_answers_with_an_error_is_an_error(broken_server: str, tmp_path: Path) -> None:
    store = open_store("qdrant", path=tmp_path, url=broken_server, api_key="key")
    with pytest.raises(StoreError, match="could not look for collection 'kb-1': Unexpected Response: 500"):
        store.instance(NAME)
    with pytest.raises(StoreError, match="could not list its collections"):
        store.collections()
    store.close()


def test_a_bad_name_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError):
        QdrantStore("http://127.0.0.1:1").instance("a/b")
