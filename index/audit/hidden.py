"""What the listing of a source leaves out: paths at which something may be although no document is."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from connectors.base import Patterns
from index.config import Config, SourceConfig


def hidden(config: Config) -> Mapping[str, Callable[[str], bool]]:
    """For each source, whether its listing leaves out a path: its filters, links and what was added since
    then. Of a source that is a folder, the folder is looked at."""
    return {source.id: _hides(source, config.base) for source in config.sources}


def _hides(source: SourceConfig, base: Path) -> Callable[[str], bool]:
    include, exclude = Patterns(source.connector.include), Patterns(source.connector.exclude)
    folder = source.connector.folder(base)

    def hides(uri: str) -> bool:
        if any(name.startswith(".") for name in uri.split("/")):
            return True
        if not include.match(uri) or exclude.match(uri):
            return True
        return folder is not None and os.path.lexists(folder / uri)

    return hides
