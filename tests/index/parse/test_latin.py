"""The code page of a text that is not UTF-8, or not all of it."""

from __future__ import annotations

import pytest

from index.parse.readers.text import decode

#: (text, the code page it was written in)
TEXTS = [
    ("The fee is £30 per person.", "cp1252"),
    ("Price: £30\n", "cp1252"),
    ("The fee is £30.", "mac_roman"),
    ("It’s “quoted” – and costs 5 € or £30", "cp1252"),
    ("don’t “panic”", "mac_roman"),
    ("© 2024 Acme® — All rights reserved…", "cp1252"),
    ("Temperature 25°C ±2 §5 ½ cup", "cp1252"),
    ("naïve façade, résumé", "cp1252"),
    ("Le café est fermé à l'été. Où êtes-vous ?", "cp1252"),
    ("Le café est fermé à l'été. Où êtes-vous ?", "mac_roman"),
    ("Die Straße führt über Köln nach München.", "cp1252"),
    ("El niño comió piñas mañana. ¿Dónde está?", "cp1252"),
    ("Smörgåsbord på svenska är gott", "cp1252"),
    ("São Paulo não é a capital. Educação já!", "cp1252"),
    ("Zażółć gęślą jaźń. Proszę zapłacić 30 złotych.", "cp1250"),
    ("Ćwiczenia z języka", "cp1250"),
    ("Příliš žluťoučký kůň úpěl ďábelské ódy.", "cp1250"),
    ("Árvíztűrő tükörfúrógép, hosszú őszi séta.", "cp1250"),
    ("Türkçe ılık şişe ağaç çiğdem İstanbul'da görüştük.", "cp1254"),
    ("Õhtu jõudis kätte, šokolaad ja žanr.", "cp1257"),
    ("Lietuvių kalba yra graži: ąčęėįšųūž žodžiai.", "cp1257"),
    ("Привет, как дела? Это русский текст.", "cp1251"),
    ("<html><body><p class='greeting'>Привет, как дела? Это русский текст.</p></body></html>", "cp1251"),
    ("Привет, как дела сегодня?", "koi8_r"),
    ("Съешь ещё этих мягких французских булок.", "koi8_r"),
    ("Привет, как дела сегодня?", "iso8859_5"),
    ("See also: Привет, как дела сегодня?", "cp1251"),
    ("שלום עולם, מה שלומך היום?", "cp1255"),
    ("مرحبا بالعالم كيف حالك اليوم", "cp1256"),
    ("안녕하세요 여러분 반갑습니다", "cp949"),
    ("これは日本語のテキストです。", "euc_jp"),
    ("Καλημέρα κόσμε, τι κάνεις σήμερα;", "cp1253"),
    ("これは日本語のテキストです。よろしくお願いします。", "cp932"),
    ("<html><body><p>これは日本語のテキストです。よろしくお願いします。</p></body></html>", "cp932"),
]


@pytest.mark.parametrize(("text", "page"), TEXTS)
def test_an_old_text_is_read_in_its_code_page(text: str, page: str) -> None:
    assert decode(text.encode(page)) == text


GERMAN = "Herr Müller aus Köln übernimmt ab März die Größenprüfung für Zürich.\n"
RUSSIAN = "Подпись Иванова и договор с Петровым о поставке оборудования.\n"
JAPANESE = "日本語の文書です。田中さんは東京に住んでいます。\n"


@pytest.mark.parametrize("text", [GERMAN, RUSSIAN, JAPANESE])
def test_utf8_that_is_cut_off_inside_a_character_is_utf8(text: str) -> None:
    for missing in range(1, len("日".encode())):
        assert decode((text + "日").encode()[:-missing]) == text + "\ufffd"
    assert decode((text + "ö").encode()[:-1]) == text + "\ufffd"


@pytest.mark.parametrize(
    ("text", "stray", "page"),
    [
        (GERMAN, "größer", "cp1252"),
        (GERMAN, "Preis – 5 €", "cp1252"),
        (GERMAN, GERMAN, "cp1252"),
        (RUSSIAN, RUSSIAN, "cp1251"),
        (RUSSIAN, "Müller", "cp1252"),
        (JAPANESE, "Müller", "cp1252"),
    ],
)
def test_what_is_no_utf8_in_it_is_read_in_its_own_code_page(text: str, stray: str, page: str) -> None:
    around = text * 2
    mixed = around.encode() + stray.encode(page) + b"\n" + around.encode()
    assert decode(mixed) == f"{around}{stray}\n{around}"
    declared = b'<meta charset="utf-8">'
    assert decode(declared + mixed, markup=True) == f"{declared.decode()}{around}{stray}\n{around}"


def test_one_character_says_as_much_as_one_stray_byte() -> None:
    assert decode("Don’t wait for Zoe’s ".encode() + "café in the café.".encode("cp1252")) == (
        "Don’t wait for Zoe’s café in the café."
    )


def test_an_old_text_is_found_behind_much_that_is_ascii() -> None:
    before = "All good here. " * 18_000
    assert decode((before + RUSSIAN * 3).encode("cp1251")) == before + RUSSIAN * 3
