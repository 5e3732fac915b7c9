"""SharePoint and OneDrive: files of a library, of a drive, or of the channels of a team.

The library resolves the place and downloads. Folders are walked here: its own walk of OneDrive ends with the
first answer of a folder, that of SharePoint fails as a whole when one folder does, and its relative paths are
percent-encoded in part. The version is the eTag, which each edit, rename and move changes.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, MutableSequence
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

import requests
from office365.onedrive.driveitems.driveItem import DriveItem
from unstructured_ingest.data_types.file_data import (
    FileData,
    FileDataSourceMetadata,
    SourceIdentifiers,
)
from unstructured_ingest.processes.connectors.onedrive import (
    OnedriveDownloader,
    OnedriveDownloaderConfig,
    OnedriveIndexer,
    OnedriveIndexerConfig,
)
from unstructured_ingest.processes.connectors.sharepoint import (
    NON_INGESTIBLE_EXTENSIONS,
    SharepointIndexer,
    SharepointIndexerConfig,
)

from connectors.base import DocumentChanging, Entry, SourceUnavailable, shortened
from connectors.ingest.failures import NotAnAnswer, meaning, status_of
from connectors.ingest.heard import hearing
from connectors.ingest.microsoft_access import OnedriveAccess, SharepointAccess
from connectors.ingest.names import path
from connectors.ingest.service import Had, Record, Service, downloaded
from connectors.ingest.times import nanoseconds
from connectors.ingest.wire import Patience, Session, json_only
from connectors.paths import encode, split

#: Attempts to read one version of a file.
_ATTEMPTS = 3


def _check(response: requests.Response) -> None:
    """Refuses what the SDK takes for an empty folder: an answer that is not JSON, or holds no list."""
    if response.request.method == "GET" and "graph." in (response.url or ""):
        answer = json_only(response)
        listed = (response.url or "").partition("?")[0].endswith(("/children", "/drives"))
        if listed and not (isinstance(answer, dict) and isinstance(answer.get("value"), list)):
            raise NotAnAnswer("it answered with something that is no list")


class _Downloader(OnedriveDownloader):
    def _fetch_file(self, file_data: FileData) -> Any:
        """By identifiers: paths change, and the library's are percent-encoded in part."""
        at = file_data.metadata.record_locator or {}
        client = self.connection_config.get_client()
        return client.drives[at["drive_id"]].items[at["item_id"]].get().execute_query()


class _Teams(SharepointIndexer):
    def _graph_get(self, access_token: str, url: str, prefer: str | None = None) -> requests.Response:
        headers = {"Authorization": f"Bearer {access_token}", **({"Prefer": prefer} if prefer else {})}
        full = url if url.startswith("http") else f"https://graph.microsoft.com/v1.0{url}"
        response: requests.Response = self.connection_config._session.get(full, headers=headers)
        return response


class _Drives(Service):
    """Files below folders; each folder's prefix begins the uris of its files."""

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        super().__init__(blocks, patience)
        self._session = Session(patience, _check)
        self._connection = self.connection()
        self._connection._session = self._session
        self._recursive: bool = self.setting("recursive", True)
        self._found: dict[str, DriveItem] = {}

    @abstractmethod
    def connection(self) -> Any:
        """The library's block, with our session."""

    @abstractmethod
    def tops(self, errors: MutableSequence[str]) -> dict[str, DriveItem]:
        """{prefix: folder} of what is listed, asked for now."""

    def _folders(self) -> dict[str, DriveItem]:
        if not self._found:
            errors: list[str] = []
            self._found = self.tops(errors)
            if errors:
                raise SourceUnavailable(errors[0])
        return self._found

    def _item(self, drive: str, item: str) -> Any:
        return self._connection.get_client().drives[drive].items[item]

    def _addressed(self, item: DriveItem) -> Any:
        return self._item(str(item.parent_reference.driveId), str(item.id))

    def identity(self) -> str:
        self._found = {}
        folders = [f"{prefix}{_native(folder)}" for prefix, folder in sorted(self._folders().items())]
        return f"{self.title} {', '.join(folders)}"

    def records(self, errors: MutableSequence[str]) -> Iterator[Record]:
        self._found = self.tops(errors)
        for prefix, folder in self._found.items():
            for uri, item in self._walk(folder, prefix, errors):
                yield _record(item, uri)

    def _walk(
        self, top: DriveItem, prefix: str, errors: MutableSequence[str]
    ) -> Iterator[tuple[str, DriveItem]]:
        waiting = [(self._addressed(top), prefix)]
        while waiting:
            folder, prefix = waiting.pop()
            try:
                children = list(folder.children.get_all().execute_query())
            except Exception as error:
                if status_of(error) == 401 or (len(self._found) == 1 and not prefix):
                    raise
                errors.append(f"The folder {shortened(prefix)!r} cannot be listed: {meaning(error)}.")
                continue
            for child in children:
                uri = f"{prefix}{encode(str(child.name))}"
                if not child.is_folder:
                    if not _unreadable(child):
                        yield uri, child
                elif self._recursive:
                    waiting.append((self._addressed(child), f"{uri}/"))

    def record(self, uri: str) -> Record | None:
        for prefix, folder in self._folders().items():
            if not uri.startswith(prefix):
                continue
            names = split(uri.removeprefix(prefix))
            if len(names) > 1 and not self._recursive:
                continue
            try:
                below = quote("/".join(names), safe="/")
                item = self._addressed(folder).get_by_path(below).get().execute_query()
            except Exception as error:
                if status_of(error) == 404:
                    continue
                raise
            if item.is_folder or _unreadable(item):
                continue
            above, slash, _ = uri.rpartition("/")
            # Paths are looked up without regard to case: the name tells whether it is this file.
            return _record(item, f"{above}{slash}{encode(str(item.name))}")
        return None

    def had(self, record: Record, folder: Path, max_size: int) -> Had:
        downloader = _Downloader(
            connection_config=self._connection,
            download_config=OnedriveDownloaderConfig(download_dir=folder),
        )
        uri, at = record.entry.uri, record.file.metadata.record_locator or {}
        before = record.entry
        self._session.max_size = max_size
        try:
            for _ in range(_ATTEMPTS):
                path = downloaded(downloader, record.file, folder)[1]
                after = _record(self._item(at["drive_id"], at["item_id"]).get().execute_query(), uri).entry
                if after.token == before.token and after.size in (None, path.stat().st_size):
                    return Had(after, path)
                before = after
        finally:
            self._session.max_size = None
        raise DocumentChanging(f"{shortened(uri)!r} changed during each of {_ATTEMPTS} attempts to read it.")

    def forget(self) -> None:
        self._connection.forget()

    def close(self) -> None:
        self._session.close()


class Sharepoint(_Drives):
    title: ClassVar[str] = "SharePoint"

    def connection(self) -> Any:
        return SharepointAccess(
            **self.blocks["connection_config"], access_config=self.blocks["access_config"]
        )

    def _indexer(self) -> _Teams:
        config = SharepointIndexerConfig(**self.blocks["indexer_config"])
        indexer = _Teams(connection_config=self._connection, index_config=config)
        return indexer

    def tops(self, errors: MutableSequence[str]) -> dict[str, DriveItem]:
        indexer = self._indexer()
        if self._connection.site and indexer.index_config.team_id:
            raise SourceUnavailable("SharePoint needs a site or a team_id, not both.")
        if indexer.index_config.team_id:
            return self._channels(indexer, errors)
        if not self._connection.site:
            raise SourceUnavailable("SharePoint needs a site, or the team_id of a team.")
        site = self._connection.get_client().sites.get_by_url(self._connection.site).execute_query()
        root = self._connection._get_drive_item(site)
        below = indexer.index_config.path.strip("/")
        return {"": root.get_by_path(quote(below, safe="/")).get().execute_query() if below else root}

    def _channels(self, indexer: _Teams, errors: MutableSequence[str]) -> dict[str, DriveItem]:
        token, said = self._connection.get_token()["access_token"], list[str]()
        found: dict[str, DriveItem] = {}
        with hearing(said):
            for channel in indexer._filter_channels(indexer._list_channels_sync(token)):
                name = channel.get("displayName") or channel["id"]
                at, _ = indexer._get_channel_files_folder_sync(
                    token, channel["id"], name, channel.get("membershipType")
                )
                if at is not None:
                    found[f"{path(name)}/"] = self._item(at["drive_id"], at["item_id"]).get().execute_query()
        errors += [f"The team's channels: {message.rstrip('.')}." for message in said]
        return found


class Onedrive(_Drives):
    title: ClassVar[str] = "OneDrive"

    def connection(self) -> Any:
        return OnedriveAccess(**self.blocks["connection_config"], access_config=self.blocks["access_config"])

    def tops(self, errors: MutableSequence[str]) -> dict[str, DriveItem]:
        config = OnedriveIndexerConfig(**self.blocks["indexer_config"])
        indexer = OnedriveIndexer(connection_config=self._connection, index_config=config)
        return {"": indexer.get_root_sync(self._connection.get_client()).get().execute_query()}


def _unreadable(item: DriveItem) -> bool:
    """Whether its text is not in its bytes: Loop, Fluid and Whiteboard."""
    return str(item.name).lower().endswith(NON_INGESTIBLE_EXTENSIONS)


def _native(item: DriveItem) -> str:
    return f"{item.parent_reference.driveId}/{item.id}"


def _record(item: DriveItem, uri: str) -> Record:
    entry = Entry(
        uri=uri,
        token=item.etag,
        size=item.size,
        modified_at=nanoseconds(item.properties.get("lastModifiedDateTime")),
        native_id=_native(item),
        properties={"url": item.web_url} if item.web_url else {},
    )
    file = FileData(
        identifier=str(item.id),
        connector_type="sharepoint",
        source_identifiers=SourceIdentifiers(filename=str(item.name), fullpath=str(item.name)),
        metadata=FileDataSourceMetadata(
            record_locator={"drive_id": item.parent_reference.driveId, "item_id": item.id}
        ),
    )
    return Record(entry, file)
