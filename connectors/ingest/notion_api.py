"""Notion as the library asks it, on a client of ours; its downloads, which raise."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic import PrivateAttr
from unstructured_ingest.data_types.file_data import FileData
from unstructured_ingest.processes.connectors.notion import helpers
from unstructured_ingest.processes.connectors.notion.client import Client as Api
from unstructured_ingest.processes.connectors.notion.client import DatabasesEndpoint, PagesEndpoint
from unstructured_ingest.processes.connectors.notion.connector import (
    NOTION_API_VERSION,
    NotionConnectionConfig,
    NotionDownloader,
)

from connectors.ingest.heard import SILENT


class _Pages(PagesEndpoint):
    def retrieve_status(self, page_id: str, **kwargs: Any) -> int:
        """The library asks twice for each row whether it exists; what it makes of that is not used."""
        return 404


class _Databases(DatabasesEndpoint):
    def retrieve_status(self, database_id: str, **kwargs: Any) -> int:
        return 404


class Connection(NotionConnectionConfig):
    _http: Any = PrivateAttr(default=None)
    _api: Any = PrivateAttr(default=None)

    @contextmanager
    def get_client(self) -> Iterator[Api]:
        if self._api is None:
            self._api = Api(
                client=self._http,
                auth=self.access_config.get_secret_value().notion_api_key,
                notion_version=NOTION_API_VERSION,
                logger=SILENT,
                log_level=SILENT.level,
                retry=False,
            )
            self._api.pages = _Pages(parent=self._api)
            self._api.databases = _Databases(parent=self._api)
        yield self._api


class Downloader(NotionDownloader):
    """Raises; the library logs, and gives nothing."""

    def download_page(self, client: Api, page_id: str, file_data: FileData) -> Any:
        return self._written(helpers.extract_page_html(client, page_id, SILENT).html, file_data)

    def download_database(self, client: Api, database_id: str, file_data: FileData) -> Any:
        return self._written(helpers.extract_database_html(client, database_id, SILENT).html, file_data)

    def _written(self, html: Any, file: FileData) -> Any:
        path = self.get_download_path(file)
        path.write_text(html.render(pretty=True), encoding="utf-8")
        return self.generate_download_response(file_data=file, download_path=path)
