"""Zendesk: tickets with their comments, and articles of the help centre.

Comments and votes move times that are not those of the text, and some edits move none: there are no versions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from pydantic import PrivateAttr
from unstructured_ingest.data_types.file_data import FileData
from unstructured_ingest.interfaces import Indexer
from unstructured_ingest.processes.connectors.zendesk.client import ZendeskClient
from unstructured_ingest.processes.connectors.zendesk.zendesk import (
    ZendeskConnectionConfig,
    ZendeskDownloader,
    ZendeskDownloaderConfig,
    ZendeskIndexer,
    ZendeskIndexerConfig,
)

from connectors.base import Entry
from connectors.ingest.names import named
from connectors.ingest.service import Listed
from connectors.ingest.times import nanoseconds
from connectors.ingest.wire import AsyncClient, Client, Patience


class _Api(ZendeskClient):
    patience: ClassVar[Patience] = Patience()

    def __post_init__(self) -> None:
        """The library asks for the groups each time that a client is made."""
        self._base_url = f"https://{self.subdomain}.zendesk.com/api/v2"

    async def __aenter__(self) -> ZendeskClient:
        self._async_client = AsyncClient(self.patience, auth=(f"{self.email}/token", self.token))
        return self

    def check(self) -> None:
        with Client(self.patience, auth=(f"{self.email}/token", self.token)) as client:
            client.head(f"{self._base_url}/groups.json").raise_for_status()


class _Connection(ZendeskConnectionConfig):
    _patience: Any = PrivateAttr(default=None)

    def get_client(self) -> ZendeskClient:
        access = self.access_config.get_secret_value()
        made = type("_Api", (_Api,), {"patience": self._patience})
        client: ZendeskClient = made(email=self.email, subdomain=self.subdomain, token=access.api_token)
        return client


class Zendesk(Listed):
    title: ClassVar[str] = "Zendesk"

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        super().__init__(blocks, patience)
        self._connection = _Connection(**blocks["connection_config"], access_config=blocks["access_config"])
        self._connection._patience = patience
        self._config = ZendeskIndexerConfig(**blocks["indexer_config"])

    def identity(self) -> str:
        client: Any = self._connection.get_client()
        client.check()
        return f"zendesk {self._connection.subdomain}"

    def indexers(self) -> Sequence[tuple[str, Indexer]]:
        """An account need not have a help centre."""
        asked = self._config.item_type
        return [
            (
                f"The list of {kind}",
                ZendeskIndexer(
                    connection_config=self._connection,
                    index_config=self._config.model_copy(update={"item_type": kind}),
                ),
            )
            for kind in (("articles", "tickets") if asked == "all" else (asked,))
        ]

    def downloader(self, folder: Path) -> ZendeskDownloader:
        return ZendeskDownloader(
            connection_config=self._connection, download_config=ZendeskDownloaderConfig(download_dir=folder)
        )

    def entry(self, file: FileData) -> Entry:
        content = file.additional_metadata.content
        ticket = file.additional_metadata.item_type == "ticket"
        title = (content.subject if ticket else content.title) or ""
        kind, at = ("tickets", "agent/tickets") if ticket else ("articles", "hc/articles")
        link = f"https://{self._connection.subdomain}.zendesk.com/{at}/{file.identifier}"
        return Entry(
            uri=f"{kind}/{named(title, file.identifier)}",
            token=None,
            size=None,
            modified_at=nanoseconds(file.metadata.date_modified),
            native_id=f"{kind}/{file.identifier}",
            properties={**({"title": title} if title else {}), "url": link},
            format=".txt" if ticket else ".html",
        )
