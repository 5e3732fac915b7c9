"""Checks and samples of sources as text for people, line by line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flows.cli.console import plural
from index.printable import printable_line

if TYPE_CHECKING:
    from index.sources.check import Checked, Tally
    from index.sources.sample import Sample, Sampled

#: Types that a line names.
_TYPES_MAX = 8


def check_lines(checked: Checked) -> Iterator[str]:
    """The verdict, then what is known; problems are not among it."""
    tally = checked.tally
    listed = f"  {plural(tally.documents, 'document')}" if tally else ""
    yield f"{'ok ' if checked.ok else 'BAD'} {checked.source} ({checked.type}){listed}"
    for name, text in _known(checked):
        yield f"      {name:<12} {printable_line(text)}"


def _known(checked: Checked) -> Iterator[tuple[str, str]]:
    tally = checked.tally
    if checked.place:
        yield "place", checked.place
    if checked.detects:
        yield "detects", ", ".join(_detected(name, tally) for name in checked.detects)
    for need in checked.needs:
        if need.origin is not None:
            colon = ":" if need.kind == "credential" else ""
            yield need.kind, f"{need.name}{colon} {need.origin}"
    if lacking := [need.name for need in checked.needs if need.origin is None and not need.missing]:
        yield "not given", ", ".join(lacking)
    if tally is not None:
        if not tally.documents and checked.ok:
            yield "documents", "none: is this the place, and do include and exclude let any pass?"
        if tally.skipped:
            yield "skipped", _skipped(tally.skipped)
        if tally.too_large:
            yield "too large", f"{tally.too_large:,} above limits.max_size ({tally.max_size:,} bytes)"
        if tally.tokenless:
            yield "tokens", f"{tally.tokenless:,} documents have none: every sync reads them"
    for folder in checked.unlisted:
        yield "left out", f"{folder.uri}: {folder.reason}"


def _detected(name: str, tally: Tally | None) -> str:
    if tally is None or not tally.documents or name == "deletions":
        return name
    count = tally.told[name]
    some = "all" if count == tally.documents else f"{count:,} of {tally.documents:,}" if count else "none"
    return f"{name} ({some})"


def _skipped(types: Counter[str]) -> str:
    named = ", ".join(f"{n:,} {form or 'without one'}" for form, n in types.most_common(_TYPES_MAX))
    more = ", …" if len(types) > _TYPES_MAX else ""
    return f"{types.total():,} of types that cannot be parsed: {named}{more}"


def sample_lines(sample: Sample) -> Iterator[str]:
    """Each document in several lines, then what they were drawn from."""
    for document in sample.documents:
        yield from _document_lines(document)
    failed = sum(document.failed for document in sample.documents)
    drawn = plural(len(sample.documents), "document")
    yield f"{drawn} of {sample.listed:,} read{f', {failed:,} failed' if failed else ''}. Nothing was written."
    if sample.skipped:
        yield f"Not drawn: {_skipped(sample.skipped)}."


def _document_lines(sampled: Sampled) -> Iterator[str]:
    found, judged = sampled.document, sampled.assessment
    if found is None or judged is None:
        state = sampled.state.value if sampled.state else "gone"
        yield printable_line(sampled.uri)
        yield printable_line(f"   {state}: {sampled.reason}")
        yield ""
        return
    yield printable_line(f"{sampled.uri}: {found.title or 'no title'}")
    language = f", {found.language}" if found.language else ""
    size = f", {found.size:,} bytes" if found.size is not None else ""
    yield f"   {found.content_type}{language}{size}, {plural(len(sampled.chunks), 'chunk')}"
    owner = f"{found.owner} ({found.owner_source})" if found.owner else "nobody"
    yield printable_line(f"   owner {owner}")
    yield printable_line(f"   {judged.verdict}: {judged.reason}")
    yield printable_line(f"   {found.url}")
    for finding in found.findings:
        yield printable_line(f"   {finding['code']}: {finding['reason']}")
    yield printable_line(f"   {sampled.words or 'no text'}")
    yield ""
