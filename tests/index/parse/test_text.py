"""Declared encodings of texts, as their authors' programs mean them."""

from __future__ import annotations

import pytest

from index.parse.readers.text import decode, decoded_as


@pytest.mark.parametrize(
    ("charset", "source", "said"),
    [
        ("gb2312", "朱镕基".encode("gbk"), "朱镕基"),
        ("x-sjis", "①髙橋".encode("cp932"), "①髙橋"),
        ("euc-kr", "똠방각하".encode("cp949"), "똠방각하"),
        ("big5", "碁 5 €".encode("cp950"), "碁 5 €"),
        ("euc-jp", b"\xad\xa1\xfc\xe2" + "橋".encode("euc_jp"), "①髙橋"),
        ("iso-2022-jp", b"\x1b$B\x2d\x21\x7c\x62\x36\x36\x1b(B", "①髙橋"),
        ("windows-1252", b"Voil\xe0 Fran\xe7ois\x9d", "Voilà François\ufffd"),
        ("euc-jp", "橋本".encode("euc_jp") + b" \x8f\xadA", "橋本 \ufffd\ufffdA"),
    ],
)
def test_a_declared_encoding_holds_though_a_few_characters_are_not_in_it(
    charset: str, source: bytes, said: str
) -> None:
    assert decoded_as(source, charset) == said
    page = f"<meta charset={charset}><p>"
    assert decode(page.encode() + source, markup=True) == page + said


def test_a_declared_encoding_does_not_hold_where_most_characters_are_not_in_it() -> None:
    page = "<meta charset=euc-jp>Über Köln. Grüße aus Wien"
    assert decode(page.encode("cp1252"), markup=True) == page
