"""Control words of RTF, by what they stand for."""

from __future__ import annotations

import codecs

#: Code pages by the character set of a font.
CHARSETS = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "big5", 161: "cp1253",
    162: "cp1254", 163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874",
    238: "cp1250", 254: "cp437", 255: "cp850",
}  # fmt: skip
#: Numbers of code pages that Python names otherwise.
_PAGES = {10000: "mac_roman", 10007: "mac_cyrillic", 10029: "mac_latin2", 65001: "utf-8"}
WORDS = {
    "tab": " ", "line": "\n", "lbr": "\n", "page": "\n", "column": "\n", "emdash": "—", "endash": "–",
    "lquote": "‘", "rquote": "’", "ldblquote": "“", "rdblquote": "”", "bullet": "•", "emspace": " ",
    "enspace": " ", "qmspace": " ", "nestcell": " ", "nestrow": " ",
}  # fmt: skip
SIGNS = {"~": "\N{NO-BREAK SPACE}", "_": "-", "\\": "\\", "{": "{", "}": "}"}
#: Groups of what is no text, or shows again what is; those of notes to the author, and generated marks.
_NO_TEXT_GROUPS = """
    annotation atnauthor atndate atnicn atnid atnparent atnref atntime bkmkend bkmkstart blipuid colortbl
    datafield filetbl fldinst footer footerf footerl footerr ftncn ftnsep ftnsepc generator header headerf
    headerl headerr latentstyles list listlevel listoverridetable listtable listtext lsdlockedexcept
    mctrlPr mmathPict
    nesttableprops nonesttables nonshppict objclass objdata objname pict pntext private revtbl rsidtbl rxe
    shprslt sn sp sv tc template themedata txe upr userprops xe xmlnstbl
"""
NO_TEXT = frozenset(_NO_TEXT_GROUPS.split())
#: Groups that readers of old may pass over, and that hold text.
TEXT = frozenset({"footnote", "shpinst", "shptxt", "ud", "moMath", "moMathPara", "mr"})


def code_page(number: int) -> str | None:
    """The name of a code page by its number; None when Python has none."""
    try:
        return codecs.lookup(_PAGES.get(number, f"cp{number}")).name
    except LookupError:
        return None
