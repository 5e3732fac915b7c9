"""Sources of the long tail, asked through unstructured-ingest: wikis, trackers and drives behind an account.

The library knows how each service is configured, how its token is had, and how one of its documents becomes a
file. Its listings were made to be read once, not to be compared: they are cut, drop what failed, and ask once
more for each document. So each service has a module here that takes from the library what holds, and puts our
rules around it.

====================  =====================================================================================
module                holds
====================  =====================================================================================
`ingest.keys`         the keys of `settings` by service, and which of them are secret
`ingest.settings`     `IngestSettings`: ``connector`` and ``settings``, checked without the library
`ingest.names`        readable uris that end in an identifier
`ingest.connector`    `IngestConnector`: what is the same for each service
`ingest.service`      `Service`: what differs; `Listed`: one that can only be asked for everything
`ingest.failures`     what an exception of these libraries means, as one of our errors
`ingest.wire`         HTTP for all of them: time-outs, retries, ``Retry-After``, limits
`ingest.links`        links that a person opens; `ingest.times`: moments
`ingest.heard`        what the library says in its log and goes on
`ingest.steps`        asynchronous generators, read from code that is not
`ingest.<service>`    one service, or a family: `confluence`, `jira`, `microsoft` (and `microsoft_access`),
                      `notion`, `google_drive`, `slack`, `zendesk`
====================  =====================================================================================

What the library does, and what holds here instead:

- **Caps.** Confluence: 100 pages a space, 500 spaces; OneDrive: the first answer of a folder; Notion: no
  pages inside of toggles and columns; ``recursive: false`` where there are folders. Here listings are whole;
  ``recursive`` is true unless it is set.
- **Silence.** A part that failed is logged and left out; an answer that is none counts as an empty one. Here
  each is an error of the listing: the parts are asked by methods that raise, answers are checked, and every
  warning that the library logs makes the listing incomplete.
- **One question a document** for permissions, addresses and existence. Here they are not asked: permissions
  are not mirrored.
- **Writing.** Slack's indexer joins channels. Nothing is written here.
- **Folders** in ``~/.cache``, with names that a document brings along. Here a download has a folder of its
  own and a name of ours, is limited, and is gone afterwards.

Only this package imports the library, which takes half a second, and only when a source is asked.
"""

from connectors.ingest.connector import IngestConnector
from connectors.ingest.settings import IngestSettings

__all__ = ["IngestConnector", "IngestSettings"]
