"""A document's elements as chunks that fit the model and survive edits around them.

An *atom* is the smallest piece that a cut may leave, a *slice* the atoms of one chunk. `boundaries` are the
places where a text may be cut, and their ranks; `atoms` the pieces between them; `chunker` cuts;
`fingerprint` has the numbers that decide on it.

May import: `embed.tokenizer`, `model`.
"""
