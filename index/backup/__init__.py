"""Backup: ledger and store as one consistent copy in a folder, whatever database and store they are in.

::

    DIR/backup.json                  the manifest: what is here, with the size and the hash of each file
    DIR/ledger.jsonl.gz              all rows of one read transaction (`index.ledger.copy`)
    DIR/points-COLLECTION.jsonl.gz   the points that its committed chunks name, with payload and vectors
    DIR/identity.age                 the key of the files, behind a passphrase; encrypted backups have it

Encrypted files end in ``.age``. Rows and points are in order of their keys, so that equal contents give equal
files. No deleted point is in a backup, and no free page: it is made of rows and points, not of files.

A backup takes no lock. `create` reads a snapshot of the ledger, and then, page by page, the points that it
names; each must have the two digests of its chunk's row. Where a sync went on meanwhile, some are missing or
other: another snapshot is taken, and only what is lacking is read. What the last snapshot does not name is
dropped. A document would have to change in each round for this not to end. Open intents, present removals and
pending log entries are copied as they are: recovery mends after a restore. A collection that is being built
is left out.

A backup is written under a hidden name beside its folder, and renamed when it is whole and durable.

`restore` writes into a place that has neither ledger nor collection. The files are checked first, then points
are written and read back, and the ledger comes last: a store without its ledger is refused by every command.
The folder ``.restoring`` of the state folder names the collections until then, so that a restore that was cut
short is cleared away by the next. The instance id is the backup's: ledger and store agree. Collections are
named after the configuration's `index.collection`, in all rows but the log's: a copy on the server of the
original has collections of its own.

The anchors of the log are asked before anything is written: where they name orders to erase that the backup
does not have, their receipts are needed. Their orders are in force in the transaction that makes the ledger.

`manifest` and `lines` hold the format, `points` a point as a line, `tables` the ledger's rows, `age` the
encryption, `parts` the points of a backup in progress; `admit` says whether a backup may come back, `first`
what is done in the transaction that makes its ledger. May import the rooms up to `erase`.
"""
