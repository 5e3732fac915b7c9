"""The connector: what is the same for each service."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, MutableSequence
from contextlib import contextmanager
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote

from connectors.ascending import ascending
from connectors.base import (
    Capabilities,
    Connector,
    ConnectorError,
    ConnectorSettings,
    Context,
    DocumentForbidden,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Patterns,
    SourceUnavailable,
    shortened,
)
from connectors.cache import BYTES, held
from connectors.extras import extra
from connectors.ingest.keys import ServiceName
from connectors.ingest.links import home, link
from connectors.ingest.settings import IngestSettings
from connectors.paths import split
from connectors.patterns import PathFilter
from connectors.receive import receive, too_large

if TYPE_CHECKING:
    from connectors.ingest.service import Record, Service
    from connectors.ingest.wire import Patience

#: Where each service's class is.
_CLASSES: dict[ServiceName, str] = {
    "confluence": "confluence:Confluence",
    "sharepoint": "microsoft:Sharepoint",
    "onedrive": "microsoft:Onedrive",
    "google_drive": "google_drive:GoogleDrive",
    "notion": "notion:Notion",
    "jira": "jira:Jira",
    "slack": "slack:Slack",
    "zendesk": "zendesk:Zendesk",
}
_BLOCK = 1024 * 1024


class IngestConnector(Connector):
    """Pages and files of a service: Confluence, SharePoint, OneDrive, Google Drive, Notion, Jira, Slack or
    Zendesk."""

    settings_model = IngestSettings
    capabilities: ClassVar[Capabilities] = Capabilities(
        token="version", detects=frozenset({"renames", "dates", "titles", "links"})
    )

    def __init__(self, settings: ConnectorSettings, context: Context) -> None:
        super().__init__(settings, context)
        assert isinstance(settings, IngestSettings)
        self._ingest = settings
        self._filter = PathFilter(Patterns(settings.include), Patterns(settings.exclude), hidden=True)
        self._opened: Service | None = None

    @cached_property
    def _secrets(self) -> list[str]:
        found = self._ingest.secrets
        return [form for secret in found for form in (secret, quote(secret, safe="")) if len(secret) > 3]

    def patience(self) -> Patience:
        """How long this connector waits for its service."""
        from connectors.ingest.wire import Patience

        return Patience()

    def _service(self) -> Service:
        """The service; the library is imported, and the settings become its own."""
        if self._opened is None:
            module, _, name = _CLASSES[self._ingest.connector].partition(":")
            with extra("ingest", self.context.source):
                from connectors.ingest.heard import listen

                listen()
                made = getattr(import_module(f"connectors.ingest.{module}"), name)
            try:
                self._opened = made(self._ingest.blocks(), self.patience())
            except Exception as error:
                raise SourceUnavailable(
                    f"The settings of source {self.context.source!r} cannot be used: {self._why(error)}"
                ) from None
        return self._opened

    def _why(self, error: Exception) -> str:
        """What the library says of settings: its own sentences, without the values."""
        from pydantic import ValidationError

        if isinstance(error, ValidationError):
            said = [
                f"{'.'.join(map(str, details['loc'])) or 'they'}: {details['msg']}"
                for details in error.errors(include_url=False, include_input=False, include_context=False)
            ]
            return f"{self.covered('; '.join(said)).rstrip('.')}."
        return f"{self.covered(str(error)).rstrip('.')}."

    def covered(self, text: str) -> str:
        """The text without the credentials of this source."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    @contextmanager
    def _asking(self, uri: str | None = None) -> Iterator[Service]:
        """The service, with whatever it raises as one of our errors."""
        service = self._service()
        from connectors.ingest.failures import of_document, status_of, unavailable
        from connectors.ingest.wire import Oversize

        try:
            yield service
        except ConnectorError:
            raise
        except Oversize:
            raise too_large(uri or "", None, self.context.max_size) from None
        except Exception as error:
            if status_of(error) == 401:
                service.forget()
            named = self.context.source, service.title
            raise (of_document(*named, uri, error) if uri else unavailable(*named, error)) from None

    def probe(self) -> str:
        with self._asking() as service:
            return service.identity()

    def list(self, folders: Collection[str] | None = None) -> Listing:
        errors: list[str] = []
        found = self._found(errors, folders)
        with self._asking():
            # Runs up to where the top has been read, so that its failure is raised here, not to the reader.
            next(found, None)
        return Listing(ascending((entry for entry in found if entry is not None), errors), errors)

    def _found(self, errors: MutableSequence[str], folders: Collection[str] | None) -> Iterator[Entry | None]:
        from connectors.ingest.failures import meaning, status_of

        service, begun, said = self._service(), False, list[str]()
        try:
            for record in service.records(said):
                errors += _drained(said, self.covered)
                if not begun:
                    begun = True
                    yield None
                entry = record.entry
                if self._takes(entry.uri) and (folders is None or entry.uri.rpartition("/")[0] in folders):
                    yield entry
        except Exception as error:
            if not begun:
                raise
            if status_of(error) == 401:
                service.forget()
            errors.append(self.covered(f"{service.title} could not be listed to its end: {meaning(error)}."))
        errors += _drained(said, self.covered)

    def _takes(self, uri: str) -> bool:
        try:
            return bool(split(uri)) and self._filter.takes(uri)
        except ValueError:
            return False

    def stat(self, uri: str) -> Entry | None:
        record = self._record(uri) if self._takes(uri) else None
        return None if record is None else record.entry

    def _record(self, uri: str) -> Record | None:
        try:
            with self._asking(uri) as service:
                record = service.record(uri)
        except DocumentVanished:
            return None
        return record if record is not None and record.entry.uri == uri else None

    def fetch(self, uri: str, into: Path | None) -> Fetched:
        if not self._takes(uri):
            raise DocumentForbidden(f"{shortened(uri)!r} is not the uri of a document of this source.")
        with self._asking(uri) as service, self._folder() as folder:
            record = service.listed(uri)
            if record is None or record.entry.uri != uri:
                raise DocumentVanished(f"{shortened(uri)!r} is not in {service.title} any more.")
            size, most = record.entry.size, self.context.max_size
            if size is not None and size > most:
                raise too_large(uri, size, most)
            had = service.had(record, folder, most)
            if had.entry.uri != uri:
                raise DocumentVanished(f"{shortened(uri)!r} has another name now.")
            with had.path.open("rb") as file:
                received = receive(iter(lambda: file.read(_BLOCK), b""), uri, into, most)
        return Fetched(had.entry, received.content_hash)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """An empty folder for one download: in the source's cache, so that a purge finds what a killed
        process left."""
        if self.context.cache is None:
            with tempfile.TemporaryDirectory(prefix="freshkb-") as made:
                yield Path(made)
            return
        with held(self.context.cache) as cache:
            folder = cache / BYTES
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(mode=0o700)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def url(self, uri: str) -> str:
        return link(self._ingest, uri)

    def home(self) -> str:
        return home(self._ingest)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _drained(said: list[str], covered: Callable[[str], str]) -> list[str]:
    errors = [covered(message) for message in said]
    said.clear()
    return errors
