"""Packages that only some sources need: extras of freshkb's distribution."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.errors import SourceUnavailable


@contextmanager
def extra(name: str, source: str) -> Iterator[None]:
    """Around the imports of an extra's packages. Raises SourceUnavailable, which says how to install it, when
    one is missing; `source` is the id of the source that needs it.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or name).partition(".")[0]
        raise SourceUnavailable(
            f"Source {source!r} needs the package {missing}, which is not installed: "
            f"pip install 'freshkb[{name}]'."
        ) from error
