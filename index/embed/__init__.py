"""Texts to dense vectors: which model, how it counts tokens, how it computes.

`identity` identifies a model by its files, without loading it; `tokenizer` counts; `embedder` computes, and
alone imports a model library.

May import: `disk`, `model`, `errors`.
"""
