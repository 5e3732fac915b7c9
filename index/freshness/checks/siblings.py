"""Documents that are alike on purpose: versions, translations, and numbers of a series."""

from __future__ import annotations

import re

from index.phrase import folded


def _set(words: str) -> frozenset[str]:
    return frozenset(words.split())


#: A version that says so, or that has a dot: 7.4, v2, 1.x, 10.0.3rc1, 2.0-beta.
_VERSION = re.compile(
    r"(?:v(?:er(?:sion)?)?[ ._-]?\d+[\w.-]*|r(?:elease|el)[ ._-]?\d+[\w.-]*|version[ ._-][\w.-]+"
    r"|\d+(?:\.(?:\d+|x))+(?:[._-]?(?:x|a|b|rc|alpha|beta|dev|preview|lts|final|snapshot|sp)[\d.]*)?)"
)
_CHANNEL = _set(
    "latest stable current next main master trunk head dev develop development nightly edge beta alpha "
    "canary preview unstable lts vnext staging"
)
#: Folders of what is kept for the record, is not yet in force, or is there to be copied.
_KEPT = _set(
    "old older legacy previous archive archived archives deprecated obsolete eol draft drafts template "
    "templates _templates vorlagen _includes includes _partials partials _snippets snippets"
)
_DATE = re.compile(
    r"(?<!\d)(?:(?:19|20)\d\d(?:[-_./]?(?:0[1-9]|1[0-2])(?:[-_./]?(?:0[1-9]|[12]\d|3[01]))?)?"
    r"|(?:0[1-9]|[12]\d|3[01])[-_.](?:0[1-9]|1[0-2])[-_.](?:19|20)\d\d)(?!\d)"
)
#: Name of what was written on a day, and is not kept up: posts, minutes.
_POST = re.compile(r"(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])(?!\d)")
_QUARTER = re.compile(r"(?:q[1-4]|h[12]|(?:kw|cw|week|wk|sprint)[ _-]?\d{1,2})")
_MONTH = re.compile(
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|f[eé]vrier|mar(?:ch|s)?|m[aä]rz|apr(?:il)?|avril|ma[yi]|june?|juni|juin|"
    r"july?|juli|juillet|aug(?:ust)?|ao[uû]t|sep(?:t|tember|tembre)?|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|"
    r"de[cz](?:ember)?|d[eé]cembre)"
)
#: Languages that documentation is often translated into (ISO 639), with a country or script, or alone, where
#: that is no usual name of a department: neither "hr" nor "it".
_LOCALE = re.compile(
    r"(?:[a-z]{2}[-_](?:[a-z]{2}|hans|hant|latn|cyrl|419)"
    r"|ar|de|el|en|es|fr|ja|jp|ko|nl|pl|pt|ru|sv|tr|uk|us|vi|zh|cn|tw)"
)


def variant(part: str) -> bool:
    """Whether a folder's name tells a version, a language or a time.

    >>> [variant(part) for part in ("7.4", "v2", "latest", "2023", "pt-BR", "policies")]
    [True, True, True, True, True, False]
    """
    part = part.casefold()
    return part in _CHANNEL or any(
        pattern.fullmatch(part) for pattern in (_VERSION, _DATE, _QUARTER, _MONTH, _LOCALE)
    )


def siblings(one: str, other: str) -> bool:
    """Whether the uris of two documents say that they are versions or translations of each other, that they
    are of a dated series, or that either is a record of its day, kept for the record or there to be copied.

    >>> siblings("7.4/install.md", "7.5/install.md"), siblings("leave.md", "leave (1).md")
    (True, False)
    """
    first, second = one.split("/"), other.split("/")
    if any(folder.casefold() in _KEPT for folder in (*first[:-1], *second[:-1])):
        return True
    if _POST.match(first[-1]) or _POST.match(second[-1]):
        return True
    while len(first) > 1 and len(second) > 1 and first[0] == second[0]:
        del first[0], second[0]
    # Below folders of two versions, whatever their names there; or a version beside what is no version.
    if len(first) > 1 and len(second) > 1 and variant(first[0]) and variant(second[0]):
        return True
    if _unvaried(first) == _unvaried(second):
        return True
    return bool(_DATE.search("/".join(first)) and _DATE.search("/".join(second)))


def _unvaried(parts: list[str]) -> tuple[str, ...]:
    """The parts without what tells a version, a language or a time."""
    *folders, name = parts
    stem, dot, suffix = name.rpartition(".")
    kept = tuple(folder.casefold() for folder in folders if not variant(folder))
    return *kept, _bare(stem if dot and len(suffix) <= 8 and not suffix.isdigit() else name)


def _bare(stem: str) -> str:
    """A file's name without what tells a version, a language or a time.

    >>> _bare("minutes-2024-01-05"), _bare("guide.de"), _bare("notes_v2"), _bare("page-2")
    ('minutes', 'guide', 'notes', 'page 2')
    """
    stem = _DATE.sub(" ", stem.casefold())
    stem = re.sub(r"(?<![^\W_])v?\d+(?:(?:\.(?:\d+|x))+|(?:[-_]\d+){2,})(?![^\W_])", " ", stem)
    words = re.split(r"[\W_]+", stem)
    kept = [
        word
        for place, word in enumerate(words)
        if word
        and not re.fullmatch(r"v\d+", word)
        and not _QUARTER.fullmatch(word)
        and not (place and (word in _CHANNEL or _LOCALE.fullmatch(word)))
        and not _MONTH.fullmatch(word)
    ]
    return " ".join(kept)


#: Words of a title that tell what kind of a text it is, or nothing, and not its subject.
_GENRE = _set(
    "a an and are as at by can do for from how i in into is it of on or our the this to us we what when "
    "where which who why with you your about all before after new more overview introduction intro guide "
    "guides guideline guidelines handbook manual policy policies procedure procedures process processes "
    "page pages faq faqs question questions answer answers rule rules reference checklist summary "
    "information info details note notes resource resources tips steps step documentation docs readme "
    "getting started basics general der die das den dem des ein eine einer und oder für mit von zu zum "
    "zur im am auf über wie was leitfaden richtlinie richtlinien handbuch regeln regelung überblick "
    "übersicht fragen antworten merkblatt le la les l un une du de d et ou pour avec sur au aux en "
    "comment politique règles procédure manuel présentation"
)


def subject(title: str) -> frozenset[str]:
    """The words of a title or heading that tell its subject.

    >>> sorted(subject("Travel policies: frequently asked questions in Germany"))
    ['asked', 'frequently', 'germany', 'travel']
    """
    # A version is a word.
    words = folded(re.sub(r"(?<=\d)[.](?=\d)", "p", title)).split()
    return frozenset(word.rstrip("s") or word for word in words if word not in _FOLDED_GENRE)


_FOLDED_GENRE = frozenset(folded(word).strip() for word in _GENRE)


def parallel(one: str, other: str) -> bool:
    """Whether two titles name different subjects in the same way.

    >>> parallel("Leave in Germany", "Leave in France"), parallel("Travel policy", "Travel FAQ")
    (True, False)

    An empty one names none.
    """
    first, second = subject(one), subject(other)
    return bool(first & second and first - second and second - first)
