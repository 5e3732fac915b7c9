"""Google Drive: a folder with what is below it, or one file.

Two files of a folder may have one name, so that uris end in identifiers. The version is the checksum of the
bytes where there is one; Google's own documents have a number that each change raises. An answer that says
that its search was incomplete is an error.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableSequence
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from unstructured_ingest.processes.connectors.google_drive import (
    EXPORT_EXTENSION_MAP,
    GOOGLE_DRIVE_SKIP_MIME_TYPES,
    GOOGLE_EXPORT_MIME_MAP,
    GoogleDriveConnectionConfig,
    GoogleDriveDownloader,
    GoogleDriveDownloaderConfig,
    GoogleDriveIndexer,
    GoogleDriveIndexerConfig,
)

from connectors.base import DocumentChanging, Entry, shortened
from connectors.ingest.failures import NotAnAnswer, meaning, status_of
from connectors.ingest.names import identifier, named, path
from connectors.ingest.service import Had, Record, Service, downloaded
from connectors.ingest.times import nanoseconds
from connectors.ingest.wire import Patience

_FIELDS = (
    "id,name,mimeType,fileExtension,md5Checksum,sha256Checksum,createdTime,modifiedTime,version,size,"
    "webViewLink,trashed,parents"
)
_PAGE = 1000
_DEEPEST = 100


class GoogleDrive(Service):
    title: ClassVar[str] = "Google Drive"

    def __init__(self, blocks: dict[str, dict[str, Any]], patience: Patience) -> None:
        super().__init__(blocks, patience)
        self._connection = GoogleDriveConnectionConfig(
            **blocks["connection_config"], access_config=blocks["access_config"]
        )
        self._config = GoogleDriveIndexerConfig(**{"recursive": True, **blocks["indexer_config"]})

    def _execute(self, request: Any) -> dict[str, Any]:
        answer = request.execute(num_retries=self.patience.attempts - 1)
        if not isinstance(answer, dict):
            raise NotAnAnswer("it answered with something that is no object")
        return answer

    def _about(self, client: Any, number: str) -> dict[str, Any]:
        return self._execute(client.get(supportsAllDrives=True, fileId=number, fields=_FIELDS))

    def identity(self) -> str:
        with self._connection.get_client() as client:
            return f"google_drive {self._about(client, self._connection.drive_id)['id']}"

    def records(self, errors: MutableSequence[str]) -> Iterator[Record]:
        with self._connection.get_client() as client:
            top = self._about(client, self._connection.drive_id)
            if not GoogleDriveIndexer.is_dir(top):
                yield _record(top, "")
                return
            waiting = [(top["id"], "")]
            while waiting:
                folder, prefix = waiting.pop()
                try:
                    for about in self._children(client, folder):
                        if GoogleDriveIndexer.is_dir(about):
                            if self._config.recursive:
                                waiting.append((about["id"], f"{prefix}{path(about['name'])}/"))
                        elif self._takes(about):
                            yield _record(about, prefix)
                except Exception as error:
                    if status_of(error) == 401 or not prefix:
                        raise
                    errors.append(f"The folder {shortened(prefix)!r} cannot be listed: {meaning(error)}.")

    def _takes(self, about: dict[str, Any]) -> bool:
        if about.get("mimeType") in GOOGLE_DRIVE_SKIP_MIME_TYPES:
            return False
        wanted = {extension.lower().lstrip(".") for extension in self._config.extensions or ()}
        suffix = str(about.get("fileExtension") or _exported(about)).lower().lstrip(".")
        return not wanted or suffix in wanted

    def _children(self, client: Any, folder: str) -> Iterator[dict[str, Any]]:
        token: str | None = None
        while True:
            answer = self._execute(
                client.list(
                    supportsAllDrives=True,
                    includeItemsFromAllDrives=True,
                    spaces="drive",
                    corpora="allDrives",
                    q=f"'{folder}' in parents and trashed = false",
                    fields=f"nextPageToken,incompleteSearch,files({_FIELDS})",
                    pageSize=_PAGE,
                    pageToken=token,
                )
            )
            if not isinstance(answer.get("files", []), list) or answer.get("incompleteSearch"):
                raise NotAnAnswer("it says that its search was incomplete")
            yield from answer.get("files", [])
            token = answer.get("nextPageToken")
            if not token:
                return

    def record(self, uri: str) -> Record | None:
        number = identifier(uri) or identifier(uri.rpartition(".")[0])
        if number is None:
            return None
        with self._connection.get_client() as client:
            try:
                about = self._about(client, number)
                prefix = self._prefix(client, about)
            except Exception as error:
                if status_of(error) == 404:
                    return None
                raise
        if prefix is None or GoogleDriveIndexer.is_dir(about) or not self._takes(about):
            return None
        return _record(about, prefix)

    def _prefix(self, client: Any, about: dict[str, Any]) -> str | None:
        """The path of its folder below the one that is listed; None when it is not below."""
        names: list[str] = []
        for _ in range(_DEEPEST):
            if about.get("trashed"):
                return None
            if about["id"] == self._connection.drive_id:
                # One file, which is the source, has no folder.
                return ""
            above = about.get("parents") or []
            if self._connection.drive_id in above:
                return "".join(f"{path(name)}/" for name in reversed(names))
            if not above or not self._config.recursive:
                return None
            about = self._about(client, above[0])
            names.append(about["name"])
        return None

    def had(self, record: Record, folder: Path, max_size: int) -> Had:
        downloader = GoogleDriveDownloader(
            connection_config=self._connection,
            download_config=GoogleDriveDownloaderConfig(download_dir=folder),
        )
        _, made = downloaded(downloader, record.file, folder)
        with self._connection.get_client() as client:
            after = self._about(client, record.file.identifier)
        token, entry = _token(after), record.entry
        if token != entry.token or entry.size not in (None, made.stat().st_size):
            raise DocumentChanging(f"{shortened(entry.uri)!r} changed while it was read.")
        return Had(entry, made)


def _record(about: dict[str, Any], prefix: str) -> Record:
    about = {**about}
    about.setdefault("mimeType", "")
    exported = _exported(about)
    name, suffix = str(about["name"]), exported
    if not exported:
        suffix = PurePosixPath(name.replace("/", "_")).suffix
        name = name.removesuffix(suffix)
    entry = Entry(
        uri=f"{prefix}{named(name, about['id'])}{path(suffix) if suffix else ''}",
        token=_token(about),
        size=int(about["size"]) if "size" in about and not exported else None,
        modified_at=nanoseconds(about.get("modifiedTime")),
        native_id=about["id"],
        properties={"url": about["webViewLink"]} if about.get("webViewLink") else {},
        format=exported or None,
    )
    return Record(entry, GoogleDriveIndexer.map_file_data(about))


def _exported(about: dict[str, Any]) -> str:
    """The suffix of what a document of Google's own becomes; "" of other files."""
    suffix: str = EXPORT_EXTENSION_MAP.get(GOOGLE_EXPORT_MIME_MAP.get(about.get("mimeType", ""), ""), "")
    return suffix


def _token(about: dict[str, Any]) -> str | None:
    for checksum in ("sha256Checksum", "md5Checksum"):
        if about.get(checksum):
            return f"{checksum}:{about[checksum]}"
    return f"version:{about['version']}" if about.get("version") else None
