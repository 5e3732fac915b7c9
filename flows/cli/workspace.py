"""What a command works on: the configuration, the knowledge base."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from index.config import Config
    from index.search.knowledge_base import KnowledgeBase
    from index.workspace import Mirror

log = logging.getLogger("freshkb.cli")


def load_config(path: Path | None) -> Config:
    from index.config import load

    config = load(path, os.environ, Path.cwd())
    ledger = config.ledger.partition(":")[0]
    log.debug(
        "Configuration: %d sources, ledger %s, store %s.", len(config.sources), ledger, config.index.store
    )
    return config


@contextmanager
def opened(path: Path | None, source: str | None = None) -> Iterator[Mirror]:
    """The configured knowledge base. Raises ConfigError for a source that is and was not configured."""
    config = load_config(path)
    from index.disk.private import umask_of
    from index.workspace import Mirror

    with umask_of(config.state_dir), Mirror(config) as mirror:
        if source is not None:
            from index.sync.source import chosen_sources

            chosen_sources(mirror, [source])
        yield mirror


@contextmanager
def knowledge_base(config: Path | None, source: str | None = None) -> Iterator[KnowledgeBase]:
    with opened(config, source) as mirror:
        from index.search.knowledge_base import KnowledgeBase

        yield KnowledgeBase(mirror)
