"""Connectors: the documents that a source says exist, and their bytes.

======================  ===========================================================================
module                  holds
======================  ===========================================================================
`connectors.errors`     what connectors raise
`connectors.base`       the seam: `Connector`, and the values it hands over; errors and types, too
`connectors.registry`   connectors by type: ours, and plug-ins
`connectors.files`      the connector for folders: settings, `list`, `stat`, `fetch`, `watch`
`connectors.web`        the connector for web sites, a package
`connectors.objects`    object stores: S3, Google Cloud Storage, Azure Blob Storage
`connectors.git`        the connector for git repositories
`connectors.paths`      file names as uris and back; opening without following links
`connectors.patterns`   `include`, `exclude` and hidden names: which uris a source takes
`connectors.walk`       a folder tree in ascending order of uri
`connectors.stable_read`    one whole version of a file that others may be writing
`connectors.watching`   hints from the operating system (the only module that imports watchdog)
`connectors.ascending`  a listing sorted on disk, for a source that does not list in order
`connectors.receive`    bytes that arrive in blocks, written, hashed and limited
`connectors.cache`      a folder for what a connector can get again; purged with documents
`connectors.extras`     packages that only some sources need
`connectors.needs`      packages, programs and credentials, and where they were found
`connectors.platform`   those of our own types, in one table
`connectors.urls`       urls in settings, checked when they are read
`connectors.worktree`   the git work tree that a folder lies in, and when that was checked out
`connectors.remote`     folders on WebDAV, SFTP, SMB and FTP servers
`connectors.settled`    what became of documents, for sources that do something with them then
`connectors.drop`       the folder that people put files into: inbox, archive and quarantine
`connectors.moving`     a file moved from one tree to another, whole at any moment
`connectors.quiet`      whether anybody is still writing a file
`connectors.sql`        the connector for databases
`connectors.codeowners`     the CODEOWNERS file of a folder or its work tree
`connectors.ingest`     Confluence, SharePoint, Notion and others, through unstructured-ingest
======================  ===========================================================================

Nothing here imports anything of ours from outside the package, and nothing here decides what should happen.

Promises that every connector keeps, each a test of ``tests/contracts/connector_contract.py``:

- **Silence is not deletion.** What could not be looked at is an error, never an absence: the whole source
  raises `SourceUnavailable`, a part of it makes the listing incomplete.
- **Whole versions only.** What `fetch` returns existed as a whole, and its entry describes just that.
- **Tokens tell the truth.** Equal tokens mean an equal version; where a source cannot promise that, the token
  is None.
- **Order.** Listings ascend by uri, by code point, without duplicates, and are never held in memory.
- **Hints are only hints.** They say where to look, not what happened.

A plug-in is a distribution with an entry point in the group ``freshkb.connectors``::

    [project.entry-points."freshkb.connectors"]
    wiki = "acme_wiki:WikiConnector"
"""

from connectors.base import (
    Capabilities,
    Connector,
    ConnectorError,
    ConnectorSettings,
    Context,
    DocumentChanging,
    DocumentError,
    DocumentForbidden,
    DocumentTooLarge,
    DocumentVanished,
    Entry,
    Fetched,
    Listing,
    Notice,
    SourceUnavailable,
    UnknownConnector,
    Unlisted,
    connector_class,
)

__all__ = [
    "Capabilities",
    "Connector",
    "ConnectorError",
    "ConnectorSettings",
    "Context",
    "DocumentChanging",
    "DocumentError",
    "DocumentForbidden",
    "DocumentTooLarge",
    "DocumentVanished",
    "Entry",
    "Fetched",
    "Listing",
    "Notice",
    "SourceUnavailable",
    "UnknownConnector",
    "Unlisted",
    "connector_class",
]
