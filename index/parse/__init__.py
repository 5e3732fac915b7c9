"""Files to elements, in child processes that can be killed.

A document is foreign input, and the libraries that read it are large: one may hang, eat memory, crash, or
be fooled. So nothing is parsed in the process that holds the ledger and the store.

==============  ==========================================================================================
`formats`       which suffix is which format, and the extraction fingerprint of each; imports nothing heavy
`parser`        the parent's side: several children, and a queue of documents for them
`line`          the documents of one child, handed to it ahead of their turn; replaces a child
`content`       the bytes of a file in a mail, received from a child
`parsing`       the part of a parser that others use
`child`         a child as the parent has it: process, pipes, folder
`answers`       a child's answer as a value, checked
`sandbox`       the child's processes: limits, environment, and how they are killed
`walls/`        rights that the child gives up before it reads anything
`worker`        the child's side: a loop over requests
`outline`       elements and their headings, as every reader builds them
`references`    links and anchors of a tree of HTML, which four readers make
`readers/`      `markdown`, `html`, `text`, `pdf`, `ocr`, `office`, `slides`, `opendocument`, `rtf`,
                `tables`, `mail`, `pandoc`, `data`: one function ``parse(path, format) -> Parsed`` each;
                they raise `outline.Unreadable` with the reason. `latin` chooses the code page of old
                texts, `drawing` reads charts and diagrams, `grid` places the cells of tables,
                `attachments` finds the files in a mail, which `mail` also counts and hands over
`frontmatter`   the properties that a Markdown file begins with, also where its block is broken
`archive`       bombs and locks, looked for before a container is opened
`language`      the language of a document that does not name it
`soffice`       conversion by LibreOffice, where it is installed
`nlp`           the English pipeline of unstructured's classifier, without its download
==============  ==========================================================================================

Invariants of every format

- Every visible word of the document is in the elements as often as in the document, in reading order.
  Generated bullets of lists, targets of links, comments and hidden words are not; numbers that a program
  counts are those of Word alone. Hidden sheets, slides, rows and columns are marked. Running heads of PDFs
  and slides are the exception, of which the first stays, and the numbers of their pages.
- A heading is one because the author marked it as one. Only in PDFs without bookmarks is it guessed, and
  then reluctantly, because headings are hard boundaries between chunks. A bookmark whose title stands
  nowhere on its page is a heading, too.
- A `Title` element's text is the last item of its own heading path. A table is one element: a line for each
  row, the header first, cells separated by `` | ``. Code keeps its characters.
- The same file gives the same elements on every machine where the extraction fingerprint is the same.
- A document without text is a `Parsed` without elements. One that cannot be read, or only by a program that
  is not installed, is a `Failure` with a reason for people. A broken installation is a `ParserError`.
- A document that hangs, crashes or takes its child over costs the others time and nothing else: those that
  the child was handed ahead of their turn go to another child.
- The child has no secrets in its environment, and no file of its own that outlives the document, nor more of
  them than the disk can bear. Nothing that a document names is fetched, walls or not. `walls` says which
  resources the child can reach; they are the kernel's, and not a virtual machine's.

Markup, RTF and slides are walked by us (their modules say why), spreadsheets are read by openpyxl and xlrd
(`tables`), PDF by pdfium, which is many times as fast as pdfminer; Word by unstructured, whose classifier
also has a say in PDF headings.

May import: `connectors.base`, `disk`, `freshness`, `model`, `errors`, `cores`, `idle`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from index.parse.formats import Format, fingerprint, fingerprints, format_of, missing_programs, suffix_of
from index.parse.nlp import in_use as nlp_in_use

if TYPE_CHECKING:
    from index.parse.parser import Parser

__all__ = [
    "Format",
    "Parser",
    "fingerprint",
    "fingerprints",
    "format_of",
    "missing_programs",
    "nlp_in_use",
    "suffix_of",
]


def __getattr__(name: str) -> Any:
    # Most commands ask for fingerprints only.
    if name == "Parser":
        from index.parse.parser import Parser

        return Parser
    raise AttributeError(name)
