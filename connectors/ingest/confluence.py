"""Confluence Cloud: pages of spaces.

One question for 250 pages, and none for permissions. The version is the page's number, which each edit and
each new title raises. A page comes with its version in one answer.
"""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Iterator, MutableSequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from pydantic import PrivateAttr
from unstructured_ingest.data_types.file_data import (
    FileData,
    FileDataSourceMetadata,
    SourceIdentifiers,
)
from unstructured_ingest.processes.connectors.confluence import (
    ConfluenceConnectionConfig,
    ConfluenceDownloader,
    ConfluenceDownloaderConfig,
    ConfluenceIndexer,
    ConfluenceIndexerConfig,
)

from connectors.base import Entry, shortened
from connectors.ingest.failures import NotAnAnswer, meaning, status_of
from connectors.ingest.names import identifier, named, path
from connectors.ingest.service import Had, Record, Service, downloaded, files
from connectors.ingest.times import nanoseconds
from connectors.ingest.wire import Patience, Session

_PAGE = 250
#: A page in the trash still answers.
_EXISTS = ("current", "archived")


class _Connection(ConfluenceConnectionConfig):
    _session: Any = PrivateAttr(default=None)
    _client: Any = PrivateAttr(default=None)

    @contextmanager
    def get_client(self) -> Iterator[Any]:
        """One client for all questions; the library makes one for each."""
        if self._client is None:
            from atlassian import Confluence as Untyped

            api: Any = Untyped

            access = self.access_config.get_secret_value()
            oauth = bool(access.oauth_token)
            self._client = api(
                url=self.api_url(),
                username=None if oauth else self.username,
                password=None if oauth else self.password_or_api_token(),
                token=access.token,
                cloud=self.cloud or oauth,
                session=self._session,
                retry_with_header=False,
            )
            if oauth:
                self._session.headers["Authorization"] = f"Bearer {access.oauth_token}"
        yield self._client


class _NoPermissions(OrderedDict[Any, None]):
    """The library's cache of the permissions of spaces: they are known not to be had, so none are asked for,
    and none of pages either."""

    def __contains__(self, space: object) -> bool:
        return True

    def __getitem__(self, space: Any) -> None:
        return None

    def move_to_end(self, space: Any, last: bool = True) -> None:
        return


class _Indexer(ConfluenceIndexer):
    def begin(self, errors: MutableSequence[str]) -> None:
        self.errors = errors
        self.titles: dict[str, str] = {}
        """{identifier: title} of pages that are on their way through the library, which drops titles."""
        self._permissions_cache = _NoPermissions()

    def _paginate_v2_results(
        self, client: Any, *, path: str, params: dict[str, Any], limit: int
    ) -> list[dict[str, Any]]:
        return list(islice(_results(client, path, params), limit))

    def _get_docs_ids_within_one_space(self, space_id: int) -> Iterator[dict[str, Any]]:
        """One page at a time, all of them. A space that fails leaves the others."""
        try:
            with self.connection_config.get_client() as client:
                for page in _results(client, "api/v2/pages", {"space-id": space_id, "limit": _PAGE}):
                    version = page.get("version") or {}
                    self.titles[page["id"]] = page["title"]
                    yield {
                        "space_id": space_id,
                        "doc_id": page["id"],
                        "date_created": page.get("createdAt"),
                        "date_modified": version.get("createdAt"),
                        "version_number": version.get("number"),
                    }
        except Exception as error:
            if status_of(error) == 401:
                raise
            self.errors.append(f"The space with the id {space_id} cannot be listed: {meaning(error)}.")


def _results(client: Any, path: str, params: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """What all pages of an answer hold. Raises NotAnAnswer for what the library takes for the end."""
    following: str | None = path
    while following:
        answer = client.get(following, params=params)
        found = answer.get("results") if isinstance(answer, dict) else None
        if not isinstance(found, list):
            raise NotAnAnswer("it answered with something that is no list")
        yield from found
        before, params = following, None
        following = _next(answer)
        if following == before:
            raise NotAnAnswer("the next page of a list is the same page again")


def _next(answer: dict[str, Any]) -> str | None:
    """The address of the next page, below the context that the client adds."""
    link = (answer.get("_links") or {}).get("next")
    if not link:
        return None
    parts = urlsplit(str(link))
    below = parts.path.split("/wiki/", 1)[-1].lstrip("/")
    return f"{below}?{parts.query}" if parts.query else below


class Confluence(Service):
    title: ClassVar[str] = "Confluence"

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        super().__init__(blocks, patience)
        self._session = Session(patience)
        self._connection = _Connection(**blocks["connection_config"], access_config=blocks["access_config"])
        self._connection._session = self._session
        self._keys: dict[str, str] = {}
        """{space id: space key}"""

    def _indexer(self, errors: MutableSequence[str]) -> _Indexer:
        config = ConfluenceIndexerConfig(
            **self.blocks["indexer_config"],
            max_num_of_spaces=sys.maxsize,
            max_num_of_docs_from_each_space=sys.maxsize,
        )
        indexer = _Indexer(connection_config=self._connection, index_config=config)
        indexer.begin(errors)
        return indexer

    def _spaces(self) -> dict[str, str]:
        """{space id: space key} of the configured spaces."""
        if not self._keys:
            self._keys = {str(number): key for key, number in self._indexer([])._get_space_ids_and_keys()}
        return self._keys

    def identity(self) -> str:
        with self._connection.get_client() as client:
            next(_results(client, "api/v2/spaces", {"limit": 1}), None)
        cloud = f" (cloud {self._connection.cloud_id})" if self._connection.cloud_id else ""
        return f"confluence {self._connection.url.rstrip('/')}{cloud}"

    def records(self, errors: MutableSequence[str]) -> Iterator[Record]:
        self._keys = {}
        indexer = self._indexer(errors)
        for file in files(indexer, errors):
            yield self._record(file, indexer.titles.pop(file.identifier))

    def _record(self, file: FileData, title: str) -> Record:
        said, space = file.metadata, file.additional_metadata["space_key"]
        entry = Entry(
            uri=f"{path(space)}/{named(title, file.identifier)}",
            token=said.version,
            size=None,
            modified_at=nanoseconds(said.date_modified),
            native_id=file.identifier,
            properties={
                "title": title,
                "url": f"{self._connection.url.rstrip('/')}/spaces/{space}/pages/{file.identifier}",
            },
            format="text/html",
        )
        return Record(entry, file)

    def record(self, uri: str) -> Record | None:
        if (number := identifier(uri)) is None or not number.isdecimal():
            return None
        with self._connection.get_client() as client:
            try:
                page = client.get(f"api/v2/pages/{number}")
            except Exception as error:
                if status_of(error) == 404:
                    return None
                raise
            if not isinstance(page, dict) or "title" not in page or "version" not in page:
                raise NotAnAnswer(f"it answered with something that is no page for {shortened(uri)!r}")
            if page.get("status") not in _EXISTS:
                return None
            key = self._spaces().get(str(page["spaceId"]))
        return None if key is None else self._record(_file(page, key), page["title"])

    def had(self, record: Record, folder: Path, max_size: int) -> Had:
        downloader = ConfluenceDownloader(
            connection_config=self._connection,
            download_config=ConfluenceDownloaderConfig(download_dir=folder),
        )
        self._session.max_size = max_size
        try:
            file, made = downloaded(downloader, record.file, folder)
        finally:
            self._session.max_size = None
        return Had(self._record(file, file.display_name or "").entry, made)

    def close(self) -> None:
        self._session.close()


def _file(page: dict[str, Any], space: str) -> FileData:
    """A page as the library describes it."""
    name = f"{page['id']}.html"
    return FileData(
        identifier=page["id"],
        connector_type="confluence",
        source_identifiers=SourceIdentifiers(filename=name, fullpath=f"{space}/{name}"),
        metadata=FileDataSourceMetadata(
            date_modified=page["version"].get("createdAt"), version=str(page["version"]["number"])
        ),
        additional_metadata={"space_key": space, "space_id": page["spaceId"]},
    )
