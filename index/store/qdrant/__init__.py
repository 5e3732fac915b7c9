"""The store on a Qdrant server: `store` has the collections, `session` one access.

`qdrant_client` is imported here alone.
"""
