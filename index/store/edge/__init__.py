"""The embedded store: Qdrant's engine in this process, one folder for each collection.

`store` has the collections, `session` one access; `shards` holds what is loaded, under the folder's `lock`,
and `build` makes an empty one; `purge` takes bytes off the disk and proves it; `apart` looks for damage in a
child that damage may end, `view` makes a private copy where nothing may be written; `errors` has the engine's
errors as those of the store. Only this package and `bm25` import `qdrant_edge`, and `store` only once a
collection is opened.
"""
