"""PDF: text by pdfium, and OCR for pages that hold only a picture of text.

A PDF has no paragraphs, tables or headings, only glyphs in places.

==============  ==========================================================================================
`layers`        the document without its hidden layers
`typed`         fields of forms, free text and stamps, as parts of their pages
`turning`       places on the page as it is shown
`rules`         ruling lines, across and down
`lines`         the lines inside of the crop box with their places, cut at wide gaps and at rules
`visible`       those that a reader sees: no invisible text, no printers' marks
`heads`         running heads and feet, of which the first stays
`folios`        numbers of pages, as the languages say them
`columns`       lines that are read together; only prose makes columns
`tables`        rows, and where they are a table
`grids`         tables whose cells have rules around them
`blocks`        paragraphs, and those that go on in the next column or page
`layout`        a page's lines to its blocks, by these
`headings`      where bookmarks point; without them, what is larger, or numbered and set apart
`document`      all of it, page by page
==============  ==========================================================================================
"""

from index.parse.readers.pdf.document import parse as parse

__all__ = ["parse"]
