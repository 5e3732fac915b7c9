"""The usual recipe of LangChain, in one process: a folder of Markdown into a vector store on disk.

``recipe.py DOCUMENTS MODEL STATE``: parameters that its documentation leaves alone are left alone; chunks of
1,000 characters that overlap by 200 are those of its tutorials. Prints the numbers of documents and chunks as
JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from langchain_classic.indexes import SQLRecordManager
from langchain_core.documents import Document
from langchain_core.indexing import index
from langchain_huggingface import HuggingFaceEmbeddings
from langchain_qdrant import QdrantVectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, VectorParams

COLLECTION = "documents"


def main(documents: Path, model: Path, state: Path) -> None:
    pages = [
        Document(path.read_text("utf-8"), metadata={"source": path.relative_to(documents).as_posix()})
        for path in sorted(documents.rglob("*.md"))
    ]
    chunks = RecursiveCharacterTextSplitter(chunk_size=1000, chunk_overlap=200).split_documents(pages)
    embeddings = HuggingFaceEmbeddings(model_name=str(model))
    client = QdrantClient(path=str(state / "qdrant"))
    dimension = len(embeddings.embed_query("How long is a vector?"))
    client.create_collection(COLLECTION, VectorParams(size=dimension, distance=Distance.COSINE))
    store = QdrantVectorStore(client, COLLECTION, embeddings)
    records = SQLRecordManager(f"qdrant/{COLLECTION}", db_url=f"sqlite:///{state / 'records.db'}")
    records.create_schema()
    done = index(chunks, records, store, cleanup="full", source_id_key="source")
    client.close()
    print(json.dumps({"documents": len(pages), "chunks": done["num_added"]}))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
