"""Answer a query from a collection, with what is needed to cite the answer and to judge its age.

`query` is the search in one given collection; `knowledge_base` the facade that applications open, which asks
again when a reindex has switched meanwhile; `hits` what it answers with.

May import: the rooms above it, `sync` for the sources that there are.
"""
