"""Amounts with a unit in a sentence: English, German and French, in digits and in words."""

from __future__ import annotations

import re
from collections.abc import Mapping

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
NUMERALS: Mapping[str, int] = {
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
_NUMBER = rf"(?:{_DIGITS}|(?:{'|'.join(sorted(NUMERALS, key=len, reverse=True))})(?:\s?\(\d+\))?)"
_SCALE = rf"(?:\s?(?:{'|'.join(_SCALES)})\b)?"
_AMOUNT = rf"{_NUMBER}{_SCALE}(?:\s?(?:-|–|to|bis|à)\s?{_NUMBER}{_SCALE})?"
MEASURE = re.compile(
    # No part of a word, a date, a version, a path, a time or a phone number.
    r"(?<![\w.,:/#+§$€£-])(?<!\d )"
    rf"(?:(?P<money>[$€£]|usd|eur|gbp|chf)\s?(?P<sum>{_AMOUNT})(?![\w/:-]|[.,]\d)"
    rf"|(?P<amount>{_AMOUNT})(?P<gap>[-\s]{{0,2}}(?:{_BETWEEN}[-\s])?)(?:{_UNIT})(?![\w/]|[.,]\d|-\d))",
    re.IGNORECASE,
)


def unit_of(measure: re.Match[str]) -> str:
    """The unit of a match of `MEASURE`, in its common form."""
    if measure["money"]:
        return _CURRENCY[measure["money"].casefold()]
    return next(name for name in _UNITS if measure[f"u_{name}"])


def value_of(amount: str) -> str:
    """An amount in its plainest form, so that spellings of one number are equal.

    >>> [value_of(amount) for amount in ("1,500.00", "1.500", "thirty (30)", "2 to 3", "2.5 million")]
    ['1500', '1500', '30', '2-3', '2500000']
    """
    ends = re.split(r"\s?(?:–|\bto\b|\bbis\b|\bà\b|-)\s?", amount.casefold())
    return "-".join(_plain(end.strip()) for end in ends)


def _plain(number: str) -> str:
    match = re.match(rf"(?P<number>{_DIGITS})?(?P<rest>.*)", number)
    assert match is not None
    rest = match["rest"].partition("(")[0].split()
    power = sum(_SCALES.get(word, 0) for word in rest)
    if match["number"] is None:
        return (
            str(NUMERALS.get(rest[0], rest[0])) if not power else f"{NUMERALS.get(rest[0], rest[0])}e{power}"
        )
    digits = match["number"]
    if not digits.startswith("0"):
        digits = re.sub(r"[,.'’\u00a0\u202f ](?=\d{3}(?!\d))", "", digits)
    value = float(digits.replace(",", ".")) * 10**power
    return f"{value:.6f}".rstrip("0").rstrip(".")
