"""Links that lead nowhere: to no document, to no place in it, or to an external address that is gone.

Links inside of the base are decided from the listings of its sources and from the anchors of its documents.
What a listing would not show, or a site's generator may make, is no finding.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from index.freshness.checks.base import Base, SourceState, Subject
from index.freshness.extract import anchor_hash
from index.freshness.finding import Finding
from index.freshness.places import IN_DOUBT, Place, Places
from index.freshness.validity import is_history
from index.model import ANY_ANCHOR, State

#: Content types whose readers find every anchor.
_ANCHORED = frozenset({"text/markdown", "text/html", "text/x-rst", "text/org"})
#: Fragments that browsers, forges and scripts understand without an anchor.
_NO_ANCHOR = re.compile(
    r"(?:top|[#|].*|L\d+\S*|[_\d-]*|:~:.*|[/!?].*|.*[=&/].*|fn\S*|footnote\S*|cite\S*|page=.*|heading=.*|"
    r"user-content-.*|issuecomment.*|\W*)\Z",
    re.IGNORECASE,
)
#: Folders of pieces of pages, whose links start at the page, and of documents that tests are made of.
_PARTIAL = re.compile(
    r"(?:\A|/)_?(?:includes?|layouts?|partials?|snippets?|templates?|fixtures?|testdata)/", re.I
)
_WEB = re.compile(r"https?://", re.IGNORECASE)
_ANY = anchor_hash(ANY_ANCHOR)
#: Days in a row on which an external address has to be gone.
GONE_DAYS = 3
#: Longest part of a target that a sentence repeats.
_SHOWN_MAX = 200


def find(base: Base) -> Iterator[Finding]:
    atlas = _atlas(base)
    for subject in base.subjects:
        if _is_read(subject):
            yield from _of_document(base, atlas, subject)


def external(base: Base) -> set[str]:
    """The external addresses that documents link to, without fragments."""
    atlas = _atlas(base)
    return {
        url
        for subject in base.subjects
        if _is_read(subject) and subject.extract is not None
        for target, _ in subject.extract.links
        if _WEB.match(target) and not atlas.is_own(url := target.partition("#")[0])
    }


def _is_read(subject: Subject) -> bool:
    """Whether the links of its present version are known, and to be followed."""
    document = subject.document
    sound = subject.extract is not None and subject.configured and document.state is State.INDEXED
    return sound and not _PARTIAL.search(document.uri) and not is_history(document.uri.rpartition("/")[2])


@dataclass(frozen=True, slots=True)
class _Atlas:
    """The places of all sources."""

    places: dict[str, Places] = field(default_factory=dict)
    templates: list[tuple[str, str, str, bool]] = field(default_factory=list)
    """Source, the text before and after the placeholder of its template, and whether that is the stem; the
    longest text before it first."""
    urls: dict[str, Subject] = field(default_factory=dict)
    subjects: dict[tuple[str, str], Subject] = field(default_factory=dict)

    def is_own(self, url: str) -> bool:
        return url.rstrip("/") in self.urls or any(
            url.startswith(before) for _, before, _, _ in self.templates
        )

    def of_url(self, url: str) -> tuple[str, Place]:
        """(source, place) of an absolute link; in doubt when it is external. Where the templates of several
        sources fit it, as one site lies below another, it is dead only in all of them, and is told as the
        first one's."""
        if known := self.urls.get(url.rstrip("/")):
            return known.document.source, Place(known.document.uri)
        dead: list[tuple[str, Place]] = []
        for source, before, after, stem in self.templates:
            path = url.removeprefix(before)
            if path != url and path.endswith(after):
                place = self.places[source].at(path.removesuffix(after), stem=stem)
                if not place.dead:
                    return source, place
                dead.append((source, place))
        return dead[0] if dead else ("", IN_DOUBT)


def _atlas(base: Base) -> _Atlas:
    atlas = _Atlas()
    uris: dict[str, list[str]] = {source: list(others) for source, others in base.others.items()}
    for subject in base.subjects:
        document = subject.document
        uris.setdefault(document.source, []).append(document.uri)
        atlas.subjects[document.source, document.uri] = subject
        if _WEB.match(document.url):
            atlas.urls[document.url.rstrip("/")] = subject
    for state in base.sources:
        if state.record is None or state.record.listed_at is None:
            continue
        atlas.places[state.source] = Places(uris.get(state.source, ()), _hidden(state))
        if state.template.count("{") == 1:
            before, _, rest = state.template.partition("{")
            kind, _, after = rest.partition("}")
            atlas.templates.append((state.source, before, after, kind == "stem"))
    atlas.templates.sort(key=lambda template: len(template[1]), reverse=True)
    return atlas


def _hidden(state: SourceState) -> Callable[[str], bool]:
    """Whether listings of the source may leave out a path."""
    left_out = [f"{found['uri']}/" for found in (state.record.findings if state.record else ())]
    return lambda uri: f"{uri}/".startswith(tuple(left_out)) or state.hides(uri)


def _of_document(base: Base, atlas: _Atlas, subject: Subject) -> Iterator[Finding]:
    document, extract = subject.document, subject.extract
    places = atlas.places.get(document.source)
    if places is None or extract is None:
        return
    told: set[tuple[str, str]] = set()
    for target, line in extract.links:
        url, _, fragment = target.partition("#")
        path = url.partition("?")[0]
        if _WEB.match(target):
            source, place = atlas.of_url(path)
            if not source and ("", url) not in told and len(days := base.gone(url)) >= GONE_DAYS:
                told.add(("", url))
                yield _gone(subject, url, line, days)
        else:
            source = document.source
            place = places.seen_from(document.uri, path) if path else Place(document.uri)
        if place.dead and ("", key := f"{source}\n{place.uri}") not in told:
            told.add(("", key))
            yield _dead(base, atlas, subject, source, place.uri, target, line)
        elif place.uri and fragment and not place.dead:
            aim = atlas.subjects.get((source, place.uri))
            missing = aim is not None and _lacks(aim, fragment)
            if missing and (place.uri, fragment) not in told:
                told.add((place.uri, fragment))
                yield _nowhere(subject, place.uri, fragment, line)


def _dead(
    base: Base, atlas: _Atlas, subject: Subject, source: str, uri: str, target: str, line: int | None
) -> Finding:
    moved = base.moved(source, uri)
    now = base.by_id.get(moved) if moved else None
    remedy = ""
    related: tuple[str, ...] = ()
    if now is not None:
        remedy = f"The document was moved: link to {_written(subject, source, now)} instead."
        related = (now.document.document_id,)
    elif len(namesakes := atlas.places[source].namesakes(uri)) == 1:
        same = atlas.subjects.get((source, namesakes[0]))
        if same is not None and same is not subject:
            remedy = f"One document has this name: {_written(subject, source, same)}."
            related = (same.document.document_id,)
    evidence = f"It links to {_shown(target)}, and there is no {_shown(uri)} in its source."
    if source != subject.document.source:
        evidence = f"It links to {_shown(target)}, and there is no {_shown(uri)} in the source {source}."
    return subject.finding(
        "dead-link", evidence, key=f"{source}\n{uri}", line=line, related=related, remedy=remedy
    )


def _written(subject: Subject, source: str, aim: Subject) -> str:
    """The aim as a link in the document would name it."""
    if source != subject.document.source:
        return aim.document.url
    folder = posixpath.dirname(subject.document.uri)
    return posixpath.relpath(aim.document.uri, folder or ".")


def _lacks(aim: Subject, fragment: str) -> bool:
    """Whether the document surely has no such anchor."""
    name, document, extract = unquote(fragment), aim.document, aim.extract
    if extract is None or document.state is not State.INDEXED or document.content_type not in _ANCHORED:
        return False
    anchors = set(extract.anchors)
    return not (_NO_ANCHOR.match(name) or _ANY in anchors or anchor_hash(name) in anchors)


def _nowhere(subject: Subject, uri: str, fragment: str, line: int | None) -> Finding:
    where = "it" if uri == subject.document.uri else uri
    evidence = f"It links to {_shown(f'#{fragment}')} in {where}, and there is no such heading or anchor."
    return subject.finding("dead-anchor", evidence, key=f"{uri}#{fragment}", line=line)


def _gone(subject: Subject, url: str, line: int | None, days: Sequence[str]) -> Finding:
    evidence = f"It links to {_shown(url)}, which was gone on {', '.join(days[-GONE_DAYS:])}."
    return subject.finding("dead-external-link", evidence, key=url, line=line)


def _shown(text: str) -> str:
    plain = unquote(text)
    plain = plain if plain.isprintable() else text
    return plain if len(plain) <= _SHOWN_MAX else f"{plain[:_SHOWN_MAX]} …"
