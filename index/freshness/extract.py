"""What the checks need of a document's text: links, anchors, claims, and the hash by which it is known.

It is kept in the ledger when the text is read. Of the document's words it has the targets of links only.
"""

from __future__ import annotations

import hashlib
import unicodedata

from index.model import Parsed
from index.records import Extract

#: Hex digits of an anchor's hash.
_ANCHOR_LENGTH = 12


def extract_of(document_id: str, parsed: Parsed) -> Extract:
    """What is kept of a text; when it was first there is for the ledger to say."""
    return Extract(
        document_id,
        links=[list(link) for link in parsed.links],
        anchors=list(dict.fromkeys(anchor_hash(name) for name in parsed.anchors)),
        claims=[list(claim) for claim in parsed.claims],
        text_hash=hashlib.sha256(parsed.text.encode()).hexdigest(),
    )


def anchor_hash(name: str) -> str:
    """A short hash of a name that a link may end in.

    Generators of sites make names of headings in different ways (``über-uns--2``, ``uber-uns_2``): only
    letters and digits count, without accents and case.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name).casefold() if c.isalnum())
    return hashlib.sha256((plain or name).encode("utf-8", "surrogatepass")).hexdigest()[:_ANCHOR_LENGTH]
