"""Numbers of pages, as the languages say them: whether a number that is another on each page counts pages.

Texts are in lower case, the number in question is `#`.
"""

from __future__ import annotations

import re
from functools import lru_cache

#: Texts whose answers are remembered: pages have the same ones.
_TEXTS_MAX = 500
_PAGES = """
    bladsy bladzijde blz faqe faqja halaman hal lappuse leathanach lehekülg lehekülje lk lpp oldal orrialdea
    pag pág pàg page pages pagina página pàgina paxina páxina pagină pg pp psl puslapis sayfa seite seiten sid
    sida sidan side sivu síða str stran strana strany stránka stranica strona trang tudalen σελ σελίδα
    сторінка стор стр страница עמ עמוד ص صفحة صفحه หน้า 页 頁 ページ 쪽 페이지
"""
_OF = """
    af av d da de del di din do du e gada iz la n no od of sur total totaal ud van von z ze
    από из із з מתוך من จาก 共 第 の 중
"""
_PAGE = rf"(?:p a g e|{'|'.join(_PAGES.split())})"
_OUT_OF = rf"\b(?:{'|'.join(_OF.split())})\b"
_DASH = "[-–—−]"
_ALL = rf"(?:\s*(?:/|{_OUT_OF})\s*[\d#]+)?"
#: A number of which a word or a bar says so.
_SAID = re.compile(
    rf"(?:\b{_PAGE}\b|(?<!\w)[ps]\.)[\s.:|–—-]*(?:n[or]\b[\s.]*)?#{_ALL}"
    rf"|#{_ALL}[\s.)|–—-]*\b{_PAGE}\b(?!\W*[\d#])"
    r"|#\s*(?:页|頁|ページ|쪽|페이지)"
    r"|^#\s*[|•·]|[|•·]\s*#$"
)
#: A number that stands alone, or after that of a chapter, or with the number of all pages.
_ALONE = re.compile(
    rf"[\s|•·*~(\[<–—−-]*(?:\d{{1,2}}\s?{_DASH}\s?)?#"
    rf"(?:\s*/\s*\d{{1,3}}|\s*{_OUT_OF}\s*\d+)?[\s|•·*~)\]>.–—−-]*"
)
_FILLER = re.compile(_OUT_OF)


@lru_cache(_TEXTS_MAX)
def counts_pages(text: str) -> bool:
    """Whether each such number in a text is a page's, as far as the text says.

    >>> [counts_pages(text) for text in ("seite # von 9", "- # -", "leave | #", "chapter #", "§ #", "#/2025")]
    [True, True, True, False, False, False]
    """
    if "#" not in text:
        return True
    rest = _SAID.sub(" ", text)
    return "#" not in rest or _ALONE.fullmatch(rest) is not None


@lru_cache(_TEXTS_MAX)
def names_page(text: str) -> bool:
    """Whether a text says the number of its page and nothing else.

    >>> [names_page(text) for text in ("seite # von 9", "#", "leave | #", "seite 3")]
    [True, True, False, False]
    """
    if "#" not in text or not counts_pages(text):
        return False
    rest = _FILLER.sub(" ", _SAID.sub(" ", text))
    return not any(map(str.isalpha, rest))


@lru_cache(_TEXTS_MAX)
def says_page(text: str) -> bool:
    """Whether the text by itself, whatever stands beside it, is the number of a page."""
    return names_page(text) and _SAID.search(text) is not None
