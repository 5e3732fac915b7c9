"""Files, as the rest of the house uses them: the one place for each thing that is easily done wrong.

- `flock`: locks of the kernel, which frees them when their holder dies, however it dies. The writer locks of
  the ledger, the lock of an embedded store and the scratch folders are made of them.
- `fork`: a forked child gives up its parent's locks, connections and open shards.
- `private`: files and folders for their owner alone.
- `atomic`: a file that takes another's place, whole or not at all; names that outlive a power cut.
- `scratch`: folders for the bytes of documents, which no kill leaves behind for long.

Nothing here knows of documents, and nothing of ours is imported but the errors. The locks come from the
standard library, because importing `filelock` takes 20 to 90 ms of every command.
"""
