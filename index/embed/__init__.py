"""Texts to dense vectors: which model, how it counts tokens, what computes it.

- `identity`: a model by its files, without loading it. `tokenizer`: counts, and encodes.
- `embedder`: the one door to models; sorts out errors, normalises.
- `way`: what computes on this machine. `openvino_model` on processors; `torch_model` on GPUs, and where a
  model cannot be converted. Both compute the batches of `batching`, are faithful to each other, and share
  fingerprints.
- `conversion`: converted models in the user's cache. Each is made once by a child process, `convert`, which
  compares it with torch on `probes`.

After a conversion no command imports torch on a processor: `torch_model` and `openvino_model` import their
libraries when they load a model, and the parent never imports `convert`.

May import: `disk`, `model`, `errors`, `cores`, `idle`.
"""
