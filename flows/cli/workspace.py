"""The configuration and the workspace that a command works on."""

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
    from index.workspace import Workspace

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
def opened(path: Path | None, source: str | None = None) -> Iterator[Workspace]:
    """The configured knowledge base. Raises ConfigError for a source that is and was not configured."""
    config = load_config(path)
    from index.disk.private import umask_of
    from index.workspace import Workspace

    with umask_of(config.state_dir), Workspace(config) as workspace:
        if source is not None:
            from index.sync.source import chosen_sources

            chosen_sources(workspace, [source])
        yield workspace


@contextmanager
def knowledge_base(config: Path | None, source: str | None = None) -> Iterator[KnowledgeBase]:
    with opened(config, source) as workspace:
        from index.search.knowledge_base import KnowledgeBase

        with KnowledgeBase(workspace) as found:
            yield found


def outside_sources(workspace: Workspace, out: Path, option: str) -> Path:
    """The same folder. Raises ConfigError when it lies in a source: nothing is ever written into one, and a
    file there would become a document. `option` named the folder."""
    from index.errors import ConfigError

    folder = out.resolve()
    for source in workspace.config.sources:
        root = source.connector.folder(workspace.config.base)
        private = workspace.config.context(source).private
        if (
            root is not None
            and folder.is_relative_to(root.resolve())
            and not any(folder.is_relative_to(own) for own in private)
        ):
            raise ConfigError(
                f"{out} lies in source {source.id!r} ({root}), and nothing is ever written into a source. "
                f"Name another folder with {option}."
            )
    return out
