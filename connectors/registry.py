"""Connectors by type: those that ship with freshkb, and plug-ins."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from connectors.errors import UnknownConnector

if TYPE_CHECKING:
    from connectors.base import Connector

ENTRY_POINT_GROUP = "freshkb.connectors"

#: Connectors that ship with freshkb; looked up without scanning the installed distributions.
BUILT_IN = {
    "files": "connectors.files:FilesConnector",
    "git": "connectors.git.connector:GitConnector",
    "ingest": "connectors.ingest:IngestConnector",
    "fsspec": "connectors.remote.connector:FsspecConnector",
    "web": "connectors.web.connector:WebConnector",
    "sql": "connectors.sql.connector:SqlConnector",
    "s3": "connectors.objects.services:S3Connector",
    "gcs": "connectors.objects.services:GcsConnector",
    "azure": "connectors.objects.services:AzureConnector",
}


def connector_class(type_name: str) -> type[Connector]:
    """The connector of this type. Raises UnknownConnector, naming those that are installed."""
    if type_name in BUILT_IN:
        module, _, name = BUILT_IN[type_name].partition(":")
        found: type[Connector] = getattr(importlib.import_module(module), name)
        return found
    from importlib.metadata import entry_points

    installed = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if type_name in installed:
        loaded: type[Connector] = installed[type_name].load()
        return loaded
    names = ", ".join(sorted({*BUILT_IN, *installed}))
    raise UnknownConnector(f"No connector of type {type_name!r} is installed; installed are: {names}.")
