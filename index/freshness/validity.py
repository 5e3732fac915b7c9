"""Sentences that say until when they hold: a cue of validity, and next to it a full date with its year.

A *cue* is a phrase such as "valid until" or "läuft am … ab", in English, German or French. The date is found
by its shape and read by dateparser in these languages, and in no other way: 03/04/2024 is two dates, and is
not read. Of a sentence that speaks of the past nothing is claimed: "it was open until 3 May 2019" stays
right.

"As of" and "effective" begin more often than they end. They are cues of an announcement ("effective 1 March
2024 the fee will be"), and "as of" is one of a count or a present state that somebody noted ("as of 1 March
2024 there are 25 members"), but not of a rule that holds since.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from typing import Final, NamedTuple

from index.model import Claim

#: Codes of cues, with words for people that go before the date.
CUES: Final = {
    "until": "until",
    "valid-through": "valid through",
    "expires": "expires on",
    "deadline": "with a deadline on",
    "announced": "announced for",
    "as-of": "as of",
}

#: Time after which the state of a day is not today's any more.
AS_OF_AGE = timedelta(days=365)


class Stated(NamedTuple):
    """A claim with its sentence."""

    claim: Claim
    sentence: str


# ── Dates ─────────────────────────────────────────────────────────────────────────────────────────────

_MONTH = "|".join((
    r"jan(?:uary|uar|v(?:ier)?)?", r"jänner", r"f[eé]vr?(?:ier)?", r"feb(?:ruary|ruar)?", r"mar(?:ch|s)?",
    r"märz?", r"mrz", r"apr(?:il)?", r"avr(?:il)?", r"may", r"mai", r"june?", r"juni", r"juin",
    r"jul(?:y|i)?", r"juil(?:let)?", r"aug(?:ust)?", r"ao[uû]t", r"sept?(?:ember|embre)?",
    r"o[ck]t(?:ober|obre)?", r"nov(?:ember|embre)?", r"de[cz](?:ember)?", r"d[eé]c(?:embre)?",
))  # fmt: skip
_DATE = re.compile(
    rf"""(?<![\w./-])(?:
      (?P<iso>(?:19|20)\d\d-\d\d-\d\d)(?:T[\d:.]+Z?)?
    | (?P<dotted>\d{{1,2}}\.\s?\d{{1,2}}\.\s?(?:19|20)\d\d)
    | (?P<slashed>\d{{1,2}}/\d{{1,2}}/(?:19|20)\d\d)
    | (?P<worded>\d{{1,2}}(?:st|nd|rd|th|er|\.)?\s+(?:of\s+)?(?:{_MONTH})\.?,?\s+(?:19|20)\d\d
        | (?:{_MONTH})\.?\s+\d{{1,2}}(?:st|nd|rd|th)?,?\s+(?:19|20)\d\d)
    )(?![\w/-]|\.\d)""",
    re.IGNORECASE | re.VERBOSE,
)
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_LANGUAGES = ["en", "de", "fr"]


def _read(found: re.Match[str]) -> date | None:
    """The day; None when it is none, or one of two."""
    if iso := found["iso"]:
        try:
            return date.fromisoformat(iso)
        except ValueError:
            return None
    if slashed := found["slashed"]:
        first, second, _ = map(int, slashed.split("/"))
        if first <= 12 and second <= 12 and first != second:
            return None
        return _parsed(slashed, "MDY" if second > 12 else "DMY")
    if worded := found["worded"]:
        return _parsed(re.sub(r"(?<=\d)(?:st|nd|rd|th|er|\.)(?=\s|,)|\bof\b", "", worded, flags=re.I), "DMY")
    return _parsed(re.sub(r"\s", "", found["dotted"]), "DMY")


@lru_cache(maxsize=4096)
def _parsed(token: str, order: str) -> date | None:
    # Its import takes longer than reading most documents.
    import dateparser

    settings = {"DATE_ORDER": order, "STRICT_PARSING": True, "REQUIRE_PARTS": ["day", "month", "year"]}
    read: datetime | None = dateparser.parse(token, languages=_LANGUAGES, settings=settings)
    return None if read is None else read.date()


# ── Cues ──────────────────────────────────────────────────────────────────────────────────────────────

#: Between a cue and its date.
_GAP = r"""(?:[\s:=–(\[*_"]|\b(?:on|at|by|is|are|the|date|day|midnight|noon|end|close|of|business|and|
    including|inclusive|inclusively|least|latest|now|set|for|to|\w{2,10}day|\d{1,2}(?::\d\d)?\s?(?:am|pm|uhr|h)|
    ist|sind|auf|den|der|dem|das|zum|am|bis|einschließlich|einschl|inklusive|spätestens|ende|des|tages|
    (?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend|
    est|sont|fixée?|le|la|au|du|jour|inclus|minuit|
    lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche)\b\.?,?){0,8}"""
_OF = r"(?:\s+(?:for|of|to|zur|zum|für|der|des|de|d['’]|pour|du)\b[^.;:!?]{0,60}?)?"

#: Cues before a date, first match first: code and pattern, which ends where the date begins.
_BEFORE = [
    ("valid-through", r"\b(?:valid|in\s+force|in\s+effect|effective|guaranteed|applicable|binding|good)\b"
                      r"(?:\s+\w+){0,2}?\s+(?:until|till|through|thru|to|up\s+to)"),
    ("valid-through", r"\b(?:valid|runs?|running|lasts?|open|extended|available|effective)\s+through"),
    ("valid-through", r"\b(?:gültig|befristet|gilt|gelten|verlängert|in\s+Kraft)\b(?:\s+\w+){0,3}?\s+bis"),
    ("valid-through", r"\b(?:valables?|valides?|en\s+vigueur|applicables?|prolongée?s?|prorogée?s?)\b"
                      r"(?:\s+\w+){0,2}?\s+(?:jusqu['’](?:au|à|en))"),
    ("deadline", rf"\b(?:deadline|due\s+date|closing\s+date|cut-?off(?:\s+date)?|best\s+before){_OF}"
                 r"\s*(?::|\bis\b|\bare\b|\bby\b|\bon\b)"),
    ("deadline", r"\b(?:no|not)\s+later\s+than"),
    ("deadline", r"\b(?:is|are)\s+due\s+(?:by|on)"),
    ("deadline", rf"\b(?:Frist|\w+frist|Abgabetermin|\w+schluss|Stichtag){_OF}\s*(?::|\bist\b|\bendet\b)"),
    ("deadline", r"\bspätestens(?:\s+(?:am|bis|zum))?"),
    ("deadline", rf"\b(?:date\s+limite|échéance|délai){_OF}\s*(?::|\best\b)"),
    ("deadline", r"\bau\s+plus\s+tard"),
    ("expires", rf"\b(?:expir(?:y|ation)(?:\s+date)?|end\s+of\s+validity){_OF}\s*(?::|\bis\b|\bon\b)"),
    ("expires", r"\b(?:expires?|expiring|lapses?|runs?\s+out|ends|terminates|ceases|sunsets)"
                r"(?:\s+automatically)?(?:\s+(?:on|at|by|after)\b|\s*:)?"),
    ("expires", rf"\b(?:Ablaufdatum|Gültigkeitsende|Vertragsende){_OF}\s*(?::|\bist\b)"),
    ("expires", r"\b(?:endet|enden|erlischt|erlöschen|verfällt|verfallen)\s+(?:automatisch\s+)?"
                r"(?:am|zum|mit(?:\s+dem|\s+Ablauf\s+des)?)"),
    ("expires", rf"\bdate\s+d['’]expiration{_OF}\s*(?::|\best\b)"),
    ("expires", r"\b(?:expirent?|expirer(?:a|ont)|prend(?:ra)?\s+fin|prennent\s+fin|se\s+terminent?)"
                r"\s+(?:le|au)"),
    ("until", r"\b(?:until|till|'til|up\s+to\s+and\s+including)"),
    ("until", r"\bbis(?:\s+(?:zum|einschließlich|spätestens))?"),
    ("until", r"\bjusqu['’](?:au|à)"),
    ("as-of", r"\bas\s+(?:of|at)"),
    ("as-of", r"\bStand\s*:?"),
    ("announced", r"\b(?:effective|with\s+effect|starting|beginning|as)(?:\s+(?:as\s+of|from|on|of))?"),
    ("announced", r"\b(?:mit\s+Wirkung\s+(?:vom|ab|zum)|ab(?:\s+dem)?)"),
    ("announced", r"\bà\s+(?:compter|partir)\s+du"),
]  # fmt: skip


@cache
def _cues() -> list[tuple[str, re.Pattern[str]]]:
    """Compiled when a date is there: that takes longer than most documents."""
    flags = re.IGNORECASE | re.VERBOSE
    return [(code, re.compile(rf"{cue}{_GAP}\Z", flags)) for code, cue in _BEFORE]


#: "läuft am 1.3.2024 ab": the verb is in two parts.
_AROUND = (
    re.compile(r"\b(?:läuft|laufen)\b[^.;]{0,40}?\b(?:am|zum|mit|mit\s+dem)\s*\Z", re.IGNORECASE),
    re.compile(r"\s*(?:automatisch\s+)?(?:ab|aus)\b", re.IGNORECASE),
)
#: Characters before a date in which its cue is.
_BEFORE_MAX = 160
#: Characters after a date in which the verb of its clause is, when the cue begins it.
_AFTER_MAX = 40

#: The sentence speaks of what was, or of an example.
_PAST = re.compile(
    r"\b(?:was|were|had|did|used\sto|former(?:ly)?|previously|originally|expired|ended|ran|held|kept|lived|"
    r"remained|stayed|served|worked|lasted|operated|existed|continued|war|waren|wurden?|hatten?|galt|galten|blieb|blieben|lief|liefen|"
    r"endete|arbeitete|leitete|bestand|früher|damals|était|étaient|fut|furent|avait|avaient|a\sété|ont\sété|"
    r"e\.g|for\sexample|for\sinstance|such\sas|example|z\.\s?B|beispiels?\w*|par\sexemple|p\.\s?ex)\b",
    re.IGNORECASE,
)
#: It announces what is to come.
_FUTURE = re.compile(
    r"\b(?:will|shall|is\sgoing\sto|are\sgoing\sto|wird|werden|sera|seront|aura|auront|pourra|pourront|devra|devront|"
    r"entrera|entreront|prendra|prendront)\b",
    re.IGNORECASE,
)
#: It notes a state: a count, an amount, or what is latest.
_COUNTED = re.compile(
    r"\b(?:there\s(?:are|is)|current(?:ly)?|latest|so\sfar|still|yet|in\sprogress|open|total|es\sgibt|derzeit|"
    r"aktuell\w*|noch|bisher|actuel\w*|encore|il\sy\sa)\b|[€$£%]",
    re.IGNORECASE,
)
_RULE = re.compile(
    r"\b(?:must|shall|will|no\slonger|requires?|required|new|start\w*|begin\w*|now|may|can|should|only|all|"
    r"muss|müssen|nicht\smehr|neue?\w*|darf|dürfen|doit|doivent|ne\s.{1,20}\splus|nouve\w+)\b",
    re.IGNORECASE,
)
#: After a date: the period goes on, or the sentence knows that it is over.
_NOT_OVER = re.compile(
    r"\s*[),]?\s*(?:or|and)\s+(?:later|after|beyond|onwards?)\b|"
    r"[^.;]{0,20}\b(?:expired|passed|closed|ended|retired|revoked|superseded|abgelaufen|beendet|expirée?|terminée?)\b",
    re.IGNORECASE,
)

# ── Sentences ─────────────────────────────────────────────────────────────────────────────────────────

#: After a full stop that is neither of a day ("3. May") nor of an abbreviation.
_SENTENCE_END = re.compile(
    r"(?<!\b\d\.)(?<!\b\d\d\.)(?<!\bz\.)(?<!\be\.g\.)(?<!\bi\.e\.)(?<!\bca\.)(?<=[.!?])[\"'”)»]?\s+(?=[^a-zäöüß])"
)
_PARAGRAPH_END = re.compile(r"\n\s*\n")
_BLANKS = re.compile(r"\s+")
_QUOTED = re.compile(r"«[^»]{20,}»|“[^”]{20,}”|„[^“”]{20,}[“”]|\"[^\"\n]{20,}\"")

#: Names of what has happened, of headings, titles, files and folders.
_HISTORY = re.compile(
    r"change[\s_-]?log|release[\s_-]?notes|\bhistory\b|\brevisions\b|\brevision\shistory|what['’]?s[\s_-]new|"
    r"\bnews\b|\barchived?s?\b|\bminutes\b|\bprevious\b|\bpast\b|\bexamples?\b|\bblog\b|_posts\b|"
    r"post-?mortems?|\bincidents?/|\bmeetings?[\s_-]notes|\bänderungs\w+|\bhistorie\b|versionsverlauf|"
    r"neuigkeiten|protokolle?\b|\bbeispiele?\b|historique|notes\sde\sversion|\bexemples?\b|"
    r"\bproposals?\b|\bannual[\s_-]?reports?\b|(?:\A|/)(?:19|20)\d\d[_-]|"
    r"\bposts?/|(?:19|20)\d\d-\d\d?-\d\d?\b|\A\W*v?\d+\.\d+|\A\W*(?:19|20)\d\d\W*\Z|(?:\A|/)(?:19|20)\d\d/",
    re.IGNORECASE,
)


def is_history(name: str) -> bool:
    """Whether a heading, a title or a path names records of what has happened: their dates are to pass."""
    return _HISTORY.search(name) is not None or _DATE.match(name.strip()) is not None


def claims(said: Iterable[tuple[str, Sequence[str]]]) -> tuple[Claim, ...]:
    """The claims of a document, each once: `said` has its sentences, without quotes, code and tables, with
    the headings above them."""
    found: dict[Claim, None] = {}
    for text, headings in said:
        if _YEAR.search(text) and not any(is_history(heading) for heading in headings):
            found |= dict.fromkeys(stated.claim for stated in stated_in(text))
    return tuple(found)


def stated_in(text: str) -> Iterator[Stated]:
    """The claims of a text, with their sentences."""
    if not _YEAR.search(text):
        return
    for sentence in _sentences(text):
        if not _YEAR.search(sentence):
            continue
        for token in _DATE.finditer(sentence):
            cue = _cue(sentence, token)
            day = _read(token) if cue else None
            if day is not None:
                yield Stated(Claim(cue, day.isoformat()), sentence.strip())


def _sentences(text: str) -> Iterator[str]:
    """The sentences of each paragraph, without what they quote."""
    for paragraph in _PARAGRAPH_END.split(text):
        yield from _SENTENCE_END.split(_BLANKS.sub(" ", _QUOTED.sub(" … ", paragraph)))


def _cue(sentence: str, token: re.Match[str]) -> str:
    """The code of the cue of a date; "" when there is none."""
    before = sentence[max(0, token.start() - _BEFORE_MAX) : token.start()]
    after = sentence[token.end() :]
    if _PAST.search(sentence[: token.end() + _AFTER_MAX]) or _NOT_OVER.match(after):
        return ""
    if _AROUND[0].search(before) and _AROUND[1].match(after):
        return "expires"
    rest = f"{sentence[: token.start()]} {after}"
    for code, cue in _cues():
        if not cue.search(before):
            continue
        announces = bool(_FUTURE.search(rest))
        if code == "as-of" and not announces:
            counts = bool(_COUNTED.search(rest) or re.search(r"\d", rest))
            return code if counts and not _RULE.search(rest) else ""
        if code in ("as-of", "announced"):
            return "announced" if announces else ""
        return code
    return ""
