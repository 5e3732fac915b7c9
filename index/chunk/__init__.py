"""A document's elements as chunks that fit the model and survive edits around them.

`boundaries` are the places where a text may be cut, and their ranks; `chunker` chooses among them.

May import: `embed.tokenizer`, `model`.
"""
