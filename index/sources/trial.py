"""A connector on trial: it leaves nothing behind, and waits for no sync. Mails are not opened for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from connectors.base import Connector, connector_class
from index.config import Config
from index.disk.scratch import outside


@contextmanager
def on_trial(config: Config, source: str) -> Iterator[tuple[Connector, Path]]:
    """The connector of a configured source, and a private folder: what the connector would keep in its cache
    lies there, too, and all of it is removed at the end.

    Raises ScratchError when there is no place for the folder, and what the connector raises when it cannot
    be made.
    """
    settings = config.source(source)
    with ExitStack() as stack:
        scratch = outside(0)
        stack.callback(scratch.close)
        context = config.context(settings)
        connector = connector_class(settings.type)(
            settings.connector,
            replace(
                context,
                private=context.private | {scratch.folder.resolve()},
                cache=scratch.folder / "cache",
            ),
        )
        stack.callback(connector.close)
        yield connector, scratch.folder
