"""PDF: text by pdfium, and OCR for pages that hold only a picture of text.

A PDF has no paragraphs, tables or headings, only glyphs in places.

==============  ==========================================================================================
`lines`         the lines of a page with their places, cut at wide gaps; nothing from outside of the crop box
`heads`         running heads and feet, of which the first stays
`columns`       lines that are read together; only prose makes columns
`tables`        rows, and where they are a table
`blocks`        paragraphs, and those that go on in the next column or page
`layout`        a page's lines to its blocks, by these
`headings`      where bookmarks point; without them, what is larger, or numbered and set apart
`document`      all of it, page by page
==============  ==========================================================================================
"""

from index.parse.readers.pdf.document import parse as parse

__all__ = ["parse"]
