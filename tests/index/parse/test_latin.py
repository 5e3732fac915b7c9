"""The code page of a text that is not UTF-8."""

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
