"""Sentences that state a number with a unit: their words, and their values apart.

English, German and French, their spellings of numbers and their units. A sentence that is no plain statement
(a question, an example, code, a row of a table) states nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from index.phrase import folded


def _set(words: str) -> frozenset[str]:
    return frozenset(folded(words).split())


#: Unit as it is compared → its spellings, as patterns.
_UNITS: Mapping[str, str] = {
    "second": r"seconds?|secs?|sekunden?|secondes?",
    "minute": r"minutes?|mins?|minuten?",
    "hour": r"hours?|hrs?|h|stunden?|std|heures?",
    "day": r"days?|tage?n?|jours?|journées?",
    "workday": r"workdays?|weekdays?|werktage?n?|arbeitstage?n?",
    "calendarday": r"kalendertage?n?",
    "leaveday": r"urlaubstage?n?",
    "night": r"nights?|nächten?|nacht|nuits?",
    "week": r"weeks?|wks?|wochen?|semaines?",
    "month": r"months?|monate?n?|mois",
    "quarter": r"quarters?|quartale?n?|trimestres?",
    "year": r"years?|yrs?|jahre?n?|ans?|années?",
    "percent": r"%|percent|per cent|pct|prozent|pour cent|percentage points?|prozentpunkte?n?",
    "dollar": r"\$|dollars?|usd",
    "euro": r"euros?|eur|€",
    "pound": r"pounds?|gbp|£",
    "franc": r"francs?|franken|chf",
    "cent": r"cents?|pence",
    "km": r"km|kilomet(?:er|re)s?|kilometern?|kilomètres?",
    "m": r"met(?:er|re)s?|metern|mètres?",
    "cm": r"cm|centimet(?:er|re)s?|zentimetern?|centimètres?",
    "mm": r"mm|millimet(?:er|re)s?",
    "mile": r"miles?|mi|meilen?",
    "kg": r"kg|kilograms?|kilos?|kilogramm",
    "litre": r"lit(?:er|re)s?|litern",
    "byte": r"bytes?|octets?",
    "kb": r"kb|kib|kilobytes?|ko",
    "mb": r"mb|mib|megabytes?|mo",
    "gb": r"gb|gib|gigabytes?|go",
    "tb": r"tb|tib|terabytes?|to",
    "ms": r"ms|milliseconds?|millisekunden?|millisecondes?",
    "degree": r"°c|°f|degrees?|grad|degrés?",
    "person": r"people|persons?|personen|personnes?",
    "employee": r"employees?|mitarbeitern?|mitarbeiterinnen|mitarbeitenden?|employée?s?|salariée?s?",
    "participant": r"participants?|attendees?|teilnehmern?|teilnehmenden?",
    "member": r"members?|mitgliedern?|membres?",
    "reviewer": r"reviewers?|approvers?|approvals?|signatures?|genehmigungen|unterschriften|validations?",
    "time": r"times|mal|fois|attempts?|versuchen?|tentatives?",
    "page": r"pages?|seiten?",
    "character": r"characters?|chars?|zeichen|caractères?",
    "word": r"words?|wörtern?|mots?",
    "copy": r"copies|kopien|exemplaren?|copies",
    "point": r"points?|punkten?",
    "session": r"sessions?|meetings?|sitzungen",
    "license": r"licen[cs]es?|seats?|lizenzen",
    "core": r"cores?|cpus?|vcpus?",
    "replica": r"replicas?|nodes?|instances?",
}
#: Words between a number and its unit; they stay in the sentence.
_BETWEEN = (
    r"(?:calendar|business|working|work|consecutive|full|paid|additional|more|extra|other|different|school|"
    r"federal|fiscal|official|whole|weitere|volle|bezahlte|aufeinanderfolgende|zusätzliche|us|u\.s\.|"
    r"canadian|australian)"
)
_WORDS: Mapping[str, int] = {
    word: value
    for value, words in {
        1: "one ein eine einen einem einer un une",
        2: "two zwei deux",
        3: "three drei trois",
        4: "four vier quatre",
        5: "five fünf cinq",
        6: "six sechs",
        7: "seven sieben sept",
        8: "eight acht huit",
        9: "nine neun neuf",
        10: "ten zehn dix",
        11: "eleven elf onze",
        12: "twelve zwölf douze",
        14: "fourteen vierzehn quatorze",
        15: "fifteen fünfzehn quinze",
        18: "eighteen achtzehn",
        20: "twenty zwanzig vingt",
        24: "vierundzwanzig",
        25: "fünfundzwanzig",
        30: "thirty dreißig dreissig trente",
        40: "forty vierzig quarante",
        45: "fünfundvierzig",
        50: "fifty fünfzig cinquante",
        60: "sixty sechzig soixante",
        90: "ninety neunzig",
        100: "hundred hundert cent",
    }.items()
    for word in words.split()
}
_SCALES = {
    "k": 3,
    "thousand": 3,
    "tausend": 3,
    "mille": 3,
    "million": 6,
    "millions": 6,
    "millionen": 6,
    "mio": 6,
}
_SCALES |= {"billion": 9, "billions": 9, "milliarden": 9, "mrd": 9, "milliards": 9, "milliard": 9}
_CURRENCY = {
    "$": "dollar",
    "€": "euro",
    "£": "pound",
    "usd": "dollar",
    "eur": "euro",
    "gbp": "pound",
    "chf": "franc",
}
_UNIT = "|".join(f"(?P<u_{name}>{forms})" for name, forms in _UNITS.items())
_DIGITS = r"\d{1,3}(?:[,.'’\u00a0\u202f ]\d{3})+(?:[.,]\d{1,2})?|\d+(?:[.,]\d+)?"
_NUMBER = rf"(?:{_DIGITS}|(?:{'|'.join(sorted(_WORDS, key=len, reverse=True))})(?:\s?\(\d+\))?)"
_SCALE = rf"(?:\s?(?:{'|'.join(_SCALES)})\b)?"
_AMOUNT = rf"{_NUMBER}{_SCALE}(?:\s?(?:-|–|to|bis|à)\s?{_NUMBER}{_SCALE})?"
_MEASURE = re.compile(
    # No part of a word, a date, a version, a path, a time or a phone number.
    r"(?<![\w.,:/#+§$€£-])(?<!\d )"
    rf"(?:(?P<money>[$€£]|usd|eur|gbp|chf)\s?(?P<sum>{_AMOUNT})(?![\w/:-]|[.,]\d)"
    rf"|(?P<amount>{_AMOUNT})(?P<gap>[-\s]{{0,2}}(?:{_BETWEEN}[-\s])?)(?:{_UNIT})(?![\w/]|[.,]\d|-\d))",
    re.IGNORECASE,
)
#: What ends a sentence: a mark, and a beginning after it.
_END = re.compile(r"(?<=[.!?…])[\"'”’»)\]]*\s+(?=[\"'“‘«(\[]?[A-ZÀ-ÖØ-Þ0-9])|\n+")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|approx|ca|vs|no|nos|nr|art|sec|fig|max|min|incl|excl|mr|mrs|ms|dr|prof|st|bzw|usw|"
    r"z\. ?b|d\. ?h|u\. ?a|ggf|evtl|inkl|zzgl|abs|p\. ?ex|env|cf|resp)|\b[A-Za-z])\.$",
    re.IGNORECASE,
)
_CODE = re.compile(r"[{}|=<>\t`\\]|\(\)|::|->|;\s*\S+;|\$[A-Za-z_]|^\s*[$#>]\s|\s--\w|\w_\w")
#: Markup that a parser left in a sentence: targets of links, tags of templates.
_MARKUP = re.compile(
    r"\[([^\]\n]*)\]\((?:[^()]|\([^()]*\))*\)|\{[%{].*?[%}]\}|<[a-z/!][^<>\n]*>|https?://\S+", re.IGNORECASE
)
_EXAMPLE = re.compile(
    r"\b(?:for example|for instance|e\.g|such as|example|suppose|imagine|let's say|zum beispiel|z\. ?b|"
    r"beispiel\w*|angenommen|par exemple|p\. ?ex|exemple|supposons)\b",
    re.IGNORECASE,
)
#: Beginnings that refer to something said before, or leave it out, as items of a list do.
_REFERS = _set(
    "be must can could should may might shall will is are was has have up between about approximately "
    "this that these those it its they their he she his her such dies dieser diese dieses es er sie ceci "
    "cela ce cet cette ces il elle ils elles"
)
_FUNCTION = _set(
    "a an the of to in on at for by from with and or as is are was were be been being has have had do "
    "does will would can could should must may might shall you your yours we our ours us i my their they "
    "them its it this that these those which who whom whose if when than then so please all any also just "
    "only about up der die das den dem des ein eine einen einem einer eines und oder von zu zum zur im in "
    "am an auf für mit bei aus ist sind war waren wird werden hat haben kann können muss müssen soll "
    "sollen darf dürfen sie wir ihr ihre ihren sich es er auch nur alle als wenn le la les l un une des "
    "du de d et ou en à au aux pour par avec sur dans est sont était être a ont avoir peut peuvent doit "
    "doivent vous votre vos nous notre nos il elle ils elles ce cet cette ces se s qui que si get gets "
    "take takes make makes"
)
#: Words of a statement, and those among them that carry meaning.
_WORDS_MIN, _WORDS_MAX = 4, 60
_CONTENT_MIN = 2


@dataclass(frozen=True, slots=True)
class Statement:
    """A sentence that states at least one number with a unit."""

    text: str
    masked: str
    """Its folded words, with # for each number and a common form of each unit."""
    values: tuple[str, ...]
    """Its numbers in order, each in its plainest form: ``30``, ``30-60``."""
    units: tuple[str, ...]
    """The unit of each, in its common form."""
    shown: tuple[str, ...]
    """They and their units, as they are written."""

    @property
    def content(self) -> frozenset[str]:
        """The beginnings of its words that carry meaning, numbers and units included."""
        return frozenset(stem(word) for word in self.masked.split() if word not in _FUNCTION)

    @property
    def subject(self) -> frozenset[str]:
        """They without numbers and units."""
        return self.content - {"#", *map(stem, self.units)}


def statements(text: str) -> Iterator[Statement]:
    """The statements of a passage, in order."""
    for sentence in sentences(text):
        found = statement(sentence)
        if found is not None:
            yield found


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text whose blocks are apart by line breaks."""
    start = 0
    for end in _END.finditer(text):
        if "\n" not in end[0] and _ABBREVIATION.search(text, max(start, end.start() - 8), end.start()):
            continue
        yield from _one(text[start : end.start()])
        start = end.end()
    yield from _one(text[start:])


def _one(sentence: str) -> Iterator[str]:
    if sentence := sentence.strip():
        yield sentence


def statement(sentence: str) -> Statement | None:
    """What a sentence states; None when it states no number, or may not be meant as a statement."""
    if any(c in sentence for c in "[{<") or "://" in sentence:
        sentence = _MARKUP.sub(r"\1", sentence)
    if not _DIGIT.search(sentence) and _WORDS.keys().isdisjoint(
        sentence.casefold().replace("-", " ").split()
    ):
        return None
    if sentence.rstrip("\"'”’»)] ").endswith("?") or _CODE.search(sentence) or _EXAMPLE.search(sentence):
        return None
    measures = list(_MEASURE.finditer(sentence))
    if not measures:
        return None
    parts: list[str] = []
    values: list[str] = []
    units: list[str] = []
    shown: list[str] = []
    at = 0
    for measure in measures:
        unit = _unit(measure)
        gap = measure["gap"] or ""
        parts += [sentence[at : measure.start()], f" {_MARK} {gap} {unit} "]
        units.append(unit)
        values.append(_value(measure["sum"] or measure["amount"]))
        shown.append(" ".join(measure[0].split()))
        at = measure.end()
    words = folded(" ".join([*parts, sentence[at:]])).split()
    masked = " ".join("#" if word == _MARK else word for word in words)
    found = Statement(" ".join(sentence.split()), masked, tuple(values), tuple(units), tuple(shown))
    told = len(found.subject) >= _CONTENT_MIN and words[0] not in _REFERS
    return found if told and _WORDS_MIN <= len(words) <= _WORDS_MAX else None


#: Stands for a number while words are folded.
_MARK = "xnumberx"
_DIGIT = re.compile(r"\d")


def _unit(measure: re.Match[str]) -> str:
    if measure["money"]:
        return _CURRENCY[measure["money"].casefold()]
    return next(name for name in _UNITS if measure[f"u_{name}"])


def _value(amount: str) -> str:
    """An amount in its plainest form, so that spellings of one number are equal.

    >>> _value("1,500.00"), _value("1.500"), _value("thirty (30)"), _value("2 to 3"), _value("2.5 million")
    ('1500', '1500', '30', '2-3', '2500000')
    """
    ends = re.split(r"\s?(?:–|\bto\b|\bbis\b|\bà\b|-)\s?", amount.casefold())
    return "-".join(_plain(end.strip()) for end in ends)


def _plain(number: str) -> str:
    match = re.match(rf"(?P<number>{_DIGITS})?(?P<rest>.*)", number)
    assert match is not None
    rest = match["rest"].partition("(")[0].split()
    power = sum(_SCALES.get(word, 0) for word in rest)
    if match["number"] is None:
        return str(_WORDS.get(rest[0], rest[0])) if not power else f"{_WORDS.get(rest[0], rest[0])}e{power}"
    digits = match["number"]
    if not digits.startswith("0"):
        digits = re.sub(r"[,.'’\u00a0\u202f ](?=\d{3}(?!\d))", "", digits)
    value = float(digits.replace(",", ".")) * 10**power
    return f"{value:.6f}".rstrip("0").rstrip(".")


def stem(word: str) -> str:
    """A word without what tells its number or form, as far as that is simple."""
    return word[:6] if len(word) > 6 else word.removesuffix("s") if len(word) > 3 else word
