"""Statements that others can check: keys, signatures, and the tree over the log.

Vocabulary. A *key* is an Ed25519 key; its private half never leaves its file. A *note* is a text with
signatures below it (C2SP signed-note), a *checkpoint* a note with the size and the root of a log. An
*envelope* is a signed payload of any type (DSSE), a *statement* the payload that says something of named
subjects (in-toto). A *leaf* is the hash of one entry, a *root* the hash over all of them (RFC 6962).

Modules `key` (make, load, sign, verify) · `note` (notes and checkpoints) · `envelope` · `statement` · `tree`
· `strict` (JSON).

Values in, values out; only `key` has a file. `cryptography` is imported when something is signed or a
signature is checked, and never before. May import: `errors`, `disk`.
"""
