"""Programs that do not know freshkb read a collection of ours: LangChain as it is, LlamaIndex when it is told
where the text lies."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.embeddings import Embeddings
from qdrant_client import QdrantClient, models

from index import payload
from index.model import Point, State
from index.records import Document
from index.store import bm25
from index.store.base import SPARSE_NAME
from index.store.qdrant.store import QdrantStore
from tests.contracts.store_contract import uid

pytestmark = [
    # The in-memory engine makes no indexes and says so.
    pytest.mark.filterwarnings("ignore:Payload indexes have no effect in the local Qdrant:UserWarning"),
]

DIMENSION = 16
NAME = "kb-1"

TEXTS = {
    "Parental leave is sixteen weeks.": ("hr/leave.md", "group:hr"),
    "Vacation days are requested in the portal.": ("hr/vacation.md", "group:hr"),
    "The VPN needs a second factor.": ("it/vpn.md", "user:anna"),
    "Ünïcödé ☃ survives, 日本語 too.": ("it/unicode.md", "user:anna"),
}


def embed(text: str) -> list[float]:
    """The same vector for the same text, and another one for another."""
    return [byte / 255 - 0.5 for byte in hashlib.sha256(text.encode()).digest()[:DIMENSION]]


def point(number: int, text: str) -> Point:
    uri, owner = TEXTS[text]
    document = Document(
        document_id=f"doc-{number}",
        source="handbook",
        uri=uri,
        state=State.INDEXED,
        title="Handbook",
        url=f"file:///handbook/{uri}",
        owner=owner,
        chunk_count=1,
        warn_at=datetime(2027, 1, 1, tzinfo=UTC),
    )
    passage = payload.Passage(text, ("Handbook", "Rules"), None, 0)
    return Point(uid(number), payload.build(document, passage), embed(text), bm25.document([text])[0])


@pytest.fixture
def client() -> Iterator[QdrantClient]:
    client = QdrantClient(":memory:")
    store = QdrantStore("memory", client=client)
    store.create(NAME, dimension=DIMENSION, instance="ledger-1")
    with store.session(NAME) as session:
        session.upsert([point(number, text) for number, text in enumerate(TEXTS)])
    store.publish("kb", NAME)
    yield client
    store.close()


def owned_by(owner: str) -> models.Filter:
    return models.Filter(
        must=[models.FieldCondition(key="metadata.owner", match=models.MatchValue(value=owner))]
    )


class TestLangChain:
    class Dense(Embeddings):
        def embed_query(self, text: str) -> list[float]:
            return embed(text)

        def embed_documents(self, texts: list[str]) -> list[list[float]]:
            return [embed(text) for text in texts]

    def read(self, client: QdrantClient, **settings: Any) -> Any:
        from langchain_qdrant import QdrantVectorStore

        return QdrantVectorStore(client, "kb", embedding=self.Dense(), **settings)

    def test_it_finds_text_and_metadata_without_any_setting(self, client: QdrantClient) -> None:
        for number, text in enumerate(TEXTS):
            [found] = self.read(client).similarity_search(text, k=1)
            assert found.page_content == text
            written = point(number, text).payload["metadata"]
            assert {key: found.metadata[key] for key in written} == written

    def test_it_filters_by_owner(self, client: QdrantClient) -> None:
        found = self.read(client).similarity_search("leave", k=9, filter=owned_by("user:anna"))
        assert {hit.metadata["uri"] for hit in found} == {"it/vpn.md", "it/unicode.md"}

    @pytest.mark.parametrize("mode", ["sparse", "hybrid"])
    def test_it_searches_by_words_with_our_sparse_vectors(self, client: QdrantClient, mode: str) -> None:
        from langchain_qdrant import RetrievalMode
        from langchain_qdrant.sparse_embeddings import SparseEmbeddings, SparseVector

        class Words(SparseEmbeddings):
            def embed_query(self, text: str) -> SparseVector:
                vector = bm25.query(text)
                return SparseVector(indices=list(vector.indices), values=list(vector.values))

            def embed_documents(self, texts: list[str]) -> list[SparseVector]:
                return [
                    SparseVector(indices=list(v.indices), values=list(v.values)) for v in bm25.document(texts)
                ]

        reader = self.read(
            client,
            sparse_embedding=Words(),
            sparse_vector_name=SPARSE_NAME,
            retrieval_mode=RetrievalMode(mode),
        )
        text = "Parental leave is sixteen weeks."
        [found] = reader.similarity_search("parental leave" if mode == "sparse" else text, k=1)
        assert found.page_content == text
        [hers] = reader.similarity_search("second factor for the leave", k=1, filter=owned_by("user:anna"))
        assert hers.metadata["owner"] == "user:anna"


class TestLlamaIndex:
    def read(self, client: QdrantClient, **settings: Any) -> Any:
        from llama_index.vector_stores.qdrant import QdrantVectorStore

        return QdrantVectorStore("kb", client=client, text_key="page_content", **settings)

    def ask(self, reader: Any, text: str, **settings: Any) -> Any:
        from llama_index.core.vector_stores.types import VectorStoreQuery

        return reader.query(VectorStoreQuery(query_embedding=embed(text), query_str=text, **settings))

    def test_it_finds_text_and_metadata(self, client: QdrantClient) -> None:
        for number, text in enumerate(TEXTS):
            [found] = self.ask(self.read(client), text, similarity_top_k=1).nodes
            assert found.get_content() == text
            assert found.metadata["metadata"] == point(number, text).payload["metadata"]

    def test_it_filters_by_owner(self, client: QdrantClient) -> None:
        from llama_index.core.vector_stores.types import MetadataFilter, MetadataFilters

        hers = MetadataFilters(filters=[MetadataFilter(key="metadata.owner", value="user:anna")])
        found = self.ask(self.read(client), "leave", similarity_top_k=9, filters=hers).nodes
        assert {node.metadata["metadata"]["uri"] for node in found} == {"it/vpn.md", "it/unicode.md"}

    def test_it_deletes_a_document_by_its_id(self, client: QdrantClient) -> None:
        self.read(client).delete("doc-1")
        rows, _ = client.scroll(NAME, limit=10)
        assert {row.payload["doc_id"] for row in rows if row.payload} == {"doc-0", "doc-2", "doc-3"}

    def test_it_searches_by_words_with_our_sparse_vectors(self, client: QdrantClient) -> None:
        from llama_index.core.vector_stores.types import VectorStoreQueryMode

        def encode(texts: list[str]) -> tuple[list[list[int]], list[list[float]]]:
            vectors = [bm25.query(text) for text in texts]
            return [list(v.indices) for v in vectors], [list(v.values) for v in vectors]

        reader = self.read(
            client,
            enable_hybrid=True,
            sparse_doc_fn=encode,
            sparse_query_fn=encode,
            sparse_vector_name=SPARSE_NAME,
        )
        found = self.ask(
            reader,
            "second factor",
            mode=VectorStoreQueryMode.SPARSE,
            sparse_top_k=1,
            similarity_top_k=1,
        ).nodes
        assert [node.get_content() for node in found] == ["The VPN needs a second factor."]
