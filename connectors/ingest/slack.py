"""Slack: the messages of a channel's day as one document, and the files beside them.

A message that is removed, and an answer that is edited, leave the library's version as it is: there are no
versions, and each day is read at each sync. Nothing is written: the library's indexer would join channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from unstructured_ingest.data_types.file_data import FileData
from unstructured_ingest.interfaces import DownloaderConfig, Indexer
from unstructured_ingest.processes.connectors.slack import (
    SlackConnectionConfig,
    SlackDownloader,
    SlackIndexer,
    SlackIndexerConfig,
)

from connectors.base import Entry
from connectors.ingest.names import path
from connectors.ingest.service import Listed
from connectors.ingest.times import nanoseconds
from connectors.ingest.wire import Patience


class _Indexer(SlackIndexer):
    def _validate_channels(self, *_: object) -> None:
        """The library joins channels here. What may not be read is refused when its history is asked for."""

    def _get_granted_scopes(self, client: object) -> set[str]:
        return set()

    def _messages_to_file_data(
        self, messages: list[dict[str, Any]], channel: str, client: object = None, day: str = ""
    ) -> FileData:
        """Without a question for the address of each day."""
        found: FileData = super()._messages_to_file_data(messages, channel, None, day)
        return found


class Slack(Listed):
    title: ClassVar[str] = "Slack"

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        super().__init__(blocks, patience)
        self._connection = SlackConnectionConfig(access_config=blocks["access_config"])
        self._config = SlackIndexerConfig(**blocks["indexer_config"])

    def identity(self) -> str:
        answer = self._connection.get_client().auth_test()
        return f"slack {answer['team_id']}"

    def indexers(self) -> Sequence[tuple[str, Indexer]]:
        return [
            (
                f"The channel {channel!r}",
                _Indexer(
                    connection_config=self._connection,
                    index_config=self._config.model_copy(update={"channels": [channel]}),
                ),
            )
            for channel in self._config.channels
        ]

    def downloader(self, folder: Path) -> SlackDownloader:
        return SlackDownloader(
            connection_config=self._connection, download_config=DownloaderConfig(download_dir=folder)
        )

    def entry(self, file: FileData) -> Entry:
        at = file.metadata.record_locator or {}
        if at.get("type") == "file":
            name = file.source_identifiers.filename
            uri, format = path(at["channel"], "files", f"{at['message_ts']}-{name}"), None
            digits = at["message_ts"]
        else:
            uri, format, digits = path(at["channel"], at["day"]), ".xml", at["oldest"]
        link = f"https://slack.com/archives/{at['channel']}/p{str(digits).replace('.', '')}"
        return Entry(
            uri=uri,
            token=None,
            size=None,
            modified_at=nanoseconds(file.metadata.date_modified),
            native_id=file.identifier,
            properties={"url": file.metadata.url or link},
            format=format,
        )
