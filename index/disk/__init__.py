"""Files: one place for each operation that is easily done wrong.

- `flock`: kernel locks, released when their holder dies in any way. The writer locks of the ledger, the lock
  of an embedded store and the scratch folders are made of them.
- `fork`: a forked child gives up its parent's locks, connections and open shards.
- `private`: files and folders for their owner alone.
- `atomic`: a file that replaces another, whole or not at all; names that survive a power cut.
- `scratch`: folders for the bytes of documents; the next run removes those of dead processes.

May import: `errors`. The locks come from the standard library, because importing `filelock` takes 20 to 90 ms
of every command.
"""
