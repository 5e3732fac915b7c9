"""Answer a query from a collection, with what is needed to cite the answer and to judge its age.

`query` searches one given collection, reading through `reader`; `hits` are its answers; `knowledge_base` is
the facade that applications open, which asks again when a reindex has switched meanwhile; `describe` lists
and shows documents, `find` those that contain a phrase.

A hit is a point that the ledger calls current. Nothing here writes to the ledger or the store. May import:
the rooms up to `health`.
"""
