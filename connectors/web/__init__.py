"""Web sites: pages and files that links and sitemaps lead to.

===================  ==============================================================================
module               holds
===================  ==============================================================================
`settings`           what a source block may say
`site`               addresses and uris: one uri for each page, and the hosts of a source
`address`            which addresses of the network may be connected to
`transport`          connections to the very address that was checked, for as long as is fair
`client`             requests: a host's pace, attempts, Retry-After, bodies of bounded size
`robots`             robots.txt
`sitemaps`           sitemaps and indexes of them
`page`, `text`       an HTML page: what it says of itself; its main text
`look`               one look at one page: what its server answers, and what that means
`memory`             validators, links and misses of each page, in the source's cache
`aliases`            pages that say they are another page
`crawl`              a listing: which pages are asked for, and which of them are documents
`connector`          `Connector` in these terms
===================  ==============================================================================

**Identity.** The uri of a page is its host, path and query (`site`). The place of a source are its hosts.

**Versions.** The document of an HTML page is its main text, as HTML without menus; its token is the hash of
that, so a page that was only built otherwise is unchanged. The document of any other file is its bytes, and
its token is what its server says of them. A listing has to read the pages whose links it follows: it keeps
what it downloaded in the cache's `BYTES` until `fetch` takes it. Validators make it a question a page for a
site that has not changed.

**Silence is not deletion.** `crawl` says when a page is gone. The index asks `stat` before it removes a
document: a 404 that no listing has seen before is an error there, so that a source that has lost its memory
keeps what it cannot prove to be gone.

**Trust.** Pages decide where requests go, so requests go to the hosts of the configuration alone, and only to
public addresses unless a host is allowed by name. The address is checked that is connected to. Redirects are
never followed: they are addresses that are asked for like links. Bodies, compressed ones too, are limited
while they are read, and a server that drips is left.

May import: what `connectors` share. httpcore, lxml, trafilatura and protego are imported when a source is
asked, never for its settings.
"""
