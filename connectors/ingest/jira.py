"""Jira: issues of projects, of boards, or by key.

An issue's text is made of many fields and its comments, and some change without the time of its last change:
there are no versions, and each issue is read at each sync.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import requests
from pydantic import PrivateAttr
from unstructured_ingest.data_types.file_data import FileData
from unstructured_ingest.interfaces import Indexer
from unstructured_ingest.processes.connectors.jira import (
    JiraConnectionConfig,
    JiraDownloader,
    JiraDownloaderConfig,
    JiraIndexer,
    JiraIndexerConfig,
)

from connectors.base import Entry
from connectors.ingest.failures import NotAnAnswer
from connectors.ingest.names import path
from connectors.ingest.service import Had, Listed, Record
from connectors.ingest.times import nanoseconds
from connectors.ingest.wire import Patience, Session, json_only


def _check(response: requests.Response) -> None:
    """Refuses what the library takes for the end of a search."""
    answer = json_only(response)
    at = (response.url or "").partition("?")[0]
    searched = "/search" in at or ("/board/" in at and at.endswith("/issue"))
    if searched and not (isinstance(answer, dict) and isinstance(answer.get("issues"), list)):
        raise NotAnAnswer("it answered with something that is no list of issues")


class _Connection(JiraConnectionConfig):
    _session: Any = PrivateAttr(default=None)

    @contextmanager
    def get_client(self) -> Iterator[Any]:
        from atlassian import Jira as Api

        access = self.access_config.get_secret_value()
        oauth = bool(access.oauth_token)
        if oauth:
            self._session.headers["Authorization"] = f"Bearer {access.oauth_token}"
        yield Api(
            url=self.api_url(),
            username=None if oauth else self.username,
            password=None if oauth else access.password,
            token=access.token,
            cloud=self.cloud or oauth,
            session=self._session,
            retry_with_header=False,
        )


class Jira(Listed):
    title: ClassVar[str] = "Jira"

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        super().__init__(blocks, patience)
        self._session = Session(patience, _check)
        self._connection = _Connection(**blocks["connection_config"], access_config=blocks["access_config"])
        self._connection._session = self._session
        self._config = JiraIndexerConfig(**blocks["indexer_config"])

    def identity(self) -> str:
        with self._connection.get_client() as client:
            client.get("rest/api/2/myself")
        cloud = f" (cloud {self._connection.cloud_id})" if self._connection.cloud_id else ""
        return f"jira {self._connection.url.rstrip('/')}{cloud}"

    def indexers(self) -> Sequence[tuple[str, Indexer]]:
        config = self._config
        asked: list[tuple[str, str, list[str] | None]] = [
            *((f"The board {board!r}", "boards", [board]) for board in config.boards or ()),
            ("The list of issues", "issues", config.issues),
            ("The list of projects", "projects", config.projects),
        ]
        return [
            (
                name,
                JiraIndexer(
                    connection_config=self._connection,
                    index_config=config.model_copy(
                        update={"boards": None, "issues": None, "projects": None, key: values}
                    ),
                ),
            )
            for name, key, values in asked
            if values
        ]

    def found(self, errors: MutableSequence[str]) -> Iterator[Record]:
        """An issue may be on several boards, and of a project, too."""
        seen = set[str | None]()
        for record in super().found(errors):
            if record.entry.native_id not in seen:
                seen.add(record.entry.native_id)
                yield record

    def downloader(self, folder: Path) -> JiraDownloader:
        return JiraDownloader(
            connection_config=self._connection, download_config=JiraDownloaderConfig(download_dir=folder)
        )

    def entry(self, file: FileData) -> Entry:
        key = str(file.additional_metadata["key"])
        return Entry(
            uri=path(key.rpartition("-")[0] or key, f"{key}.txt"),
            token=None,
            size=None,
            modified_at=nanoseconds(file.metadata.date_modified),
            native_id=file.identifier,
            properties={"url": self._connection.issue_url(key)},
            format=".txt",
        )

    def had(self, record: Record, folder: Path, max_size: int) -> Had:
        self._session.max_size = max_size
        try:
            return super().had(record, folder, max_size)
        finally:
            self._session.max_size = None

    def close(self) -> None:
        super().close()
        self._session.close()
