"""The errors of connectors, and names cut to fit into them.

::

    ConnectorError
    ├── SourceUnavailable      the source as a whole cannot be asked: unmounted, offline, forbidden
    ├── UnknownConnector       the configuration names a type that is not installed
    └── DocumentError          one document cannot be had; the others can
        ├── DocumentVanished   it is gone (or became something that is not a document)
        ├── DocumentForbidden  it exists and may not be read
        ├── DocumentChanging   it never held still long enough to be read whole
        └── DocumentTooLarge   it is larger than the configured limit
"""

from __future__ import annotations


class ConnectorError(Exception):
    """Base of everything a connector raises on purpose."""


class SourceUnavailable(ConnectorError):
    """The source cannot be asked at all. Never to be read as "the source is empty"."""


class UnknownConnector(ConnectorError):
    """No installed connector has this type."""


class DocumentError(ConnectorError):
    """One document cannot be had. The message is a full sentence that a person understands."""


class DocumentVanished(DocumentError):
    """The document is gone from the source."""


class DocumentForbidden(DocumentError):
    """The document exists and may not be read."""


class DocumentChanging(DocumentError):
    """The document changed during every attempt to read it whole."""


class DocumentTooLarge(DocumentError):
    """The document is larger than the limit."""


def shortened(text: str, most: int = 200) -> str:
    """The text for a message: of a longer one the middle is left out.

    >>> shortened("a/very/long/path.md", 11)
    'a/ve … h.md'
    """
    half = (most - 3) // 2
    return text if len(text) <= most else f"{text[:half]} … {text[-half:]}"
