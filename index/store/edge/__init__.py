"""The embedded store: Qdrant's engine in this process, one folder for each collection.

`store` has the collections, `session` one access; `shards` holds what is loaded, under the folder's `lock`;
`purge` takes bytes off the disk and proves it; `examine` looks for damage, `apart` in a child that damage may
end, `view` on a private copy where nothing may be written. `qdrant_edge` is imported here alone.
"""
