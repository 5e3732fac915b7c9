"""Documents in a database: each row of a query is one.

====================  =============================================================================
module                holds
====================  =============================================================================
`sql.settings`        url, query and columns as the configuration has them
`sql.connector`       the connector: `list`, `stat`, `fetch`
`sql.database`        read-only snapshots of a database, tried again when the connection breaks
`sql.rows`            the user's query, wrapped: its columns, its rows as entries, one row by its id
`sql.content`         a row's content as the database itself counts, hashes and hands it over
`sql.identifiers`     ids as uris, and back
`sql.moments`         times of modification, and how far equal ones can be trusted
====================  =============================================================================

The query is never changed but wrapped: ``SELECT … FROM (query) AS q``. So it is one SELECT, whatever it says,
and ids travel as parameters. Everything that is read for one answer is read in one read-only transaction.
"""
