"""What is known of a document's age, owners and address, from values alone.

Vocabulary
    A *verdict* is fresh, warn, stale, unknown or exempt. A *policy* says after which time a document warns
    and turns stale, and which fields date it. *Properties* are what front matter, the source and the document
    say of it, by canonical names.

No I/O, no clock: the moment is handed in. May import: `model`, `errors`.
"""
