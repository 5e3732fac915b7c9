"""A wiki over random steps: after each, its listing is what a model says, or says that it is not
whole."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.base import SourceUnavailable
from connectors.ingest.names import named
from tests.connectors.ingest.confluence_site import ConfluenceSite
from tests.connectors.ingest.conftest import CONFLUENCE, NOTION, Make
from tests.connectors.ingest.loopback import Kind
from tests.connectors.ingest.notion_site import NotionSite, Thing

FAULTS: tuple[Kind, ...] = ("429", "503", "401", "403", "404", "cut", "html", "odd")
TITLES = ("Leave", "Travel / trains", "日本", "100% cotton", "a" * 120, "..", "Leave")


@dataclass(slots=True)
class Known:
    """A page as the model has it."""

    space: str
    title: str
    body: str
    edits: int = 1


@pytest.mark.parametrize("seed", [1, 2])
def test_confluence(confluence: ConfluenceSite, make: Make, tmp_path: Path, seed: int, soak: bool) -> None:
    chance, site = random.Random(seed), confluence
    site.spaces = {"65601": "KB", "65602": "OPS", "65603": "~personal"}
    connector = make("confluence", CONFLUENCE)
    model: dict[str, Known] = {}
    tokens: dict[tuple[str | None, str | None], tuple[str, str]] = {}
    broken = False
    for step in range(2000 if soak else 50 if seed == 1 else 25):
        what = chance.choice(("put", "put", "edit", "edit", "retitle", "move", "trash", "break", "heal"))
        chosen = chance.choice(sorted(model)) if model else ""
        if what == "put":
            page = site.put(chance.choice(TITLES), f"text {step}", chance.choice(sorted(site.spaces)))
            model[page.id] = Known(page.space, page.title, page.body)
        elif what in ("edit", "retitle") and chosen:
            known = model[chosen]
            known.edits += 1
            if what == "edit":
                known.body = f"text {step}"
            else:
                known.title = chance.choice(TITLES)
            site.edit(site.pages[chosen], known.body, known.title)
        elif what == "move" and chosen:
            model[chosen].space = site.pages[chosen].space = chance.choice(sorted(site.spaces))
        elif what == "trash" and chosen:
            site.pages[chosen].status = chance.choice(("trashed", "deleted"))
            del model[chosen]
        elif what == "break":
            site.fail(chance.choice(FAULTS), skip=chance.randrange(6), times=chance.choice((1, 2, 1000)))
            broken = True
        elif what == "heal":
            site.heal()
            broken = False

        expected = {
            f"{site.spaces[known.space]}/{named(known.title, number)}": (number, known)
            for number, known in model.items()
        }
        try:
            listing = connector.list()
            found = list(listing)
        except SourceUnavailable:
            assert broken, step
            continue
        if not listing.complete:
            assert broken, (step, listing.errors)
            assert {entry.uri for entry in found} <= expected.keys()
            continue
        assert [entry.uri for entry in found] == sorted(expected), step
        for entry in found:
            number, known = expected[entry.uri]
            assert (entry.native_id, entry.token) == (number, str(known.edits))
            version = entry.native_id, entry.token
            assert tokens.setdefault(version, (known.title, known.body)) == (known.title, known.body)
        if found and not broken:
            entry = chance.choice(found)
            into = tmp_path / f"{step}"
            fetched = connector.fetch(entry.uri, into)
            assert fetched.entry == entry == connector.stat(entry.uri)
            assert expected[entry.uri][1].body in into.read_text()
            assert hashlib.sha256(into.read_bytes()).hexdigest() == fetched.content_hash
            into.unlink()


@pytest.mark.parametrize("seed", [3])
def test_notion(notion: NotionSite, make: Make, tmp_path: Path, seed: int, soak: bool) -> None:
    """Time passes by seconds and by minutes: no edit goes unseen by a token, within its minute or after
    it."""
    chance, site = random.Random(seed), notion
    connector = make("notion", NOTION)
    site.block(site.root, "root")
    pages: dict[str, Thing] = {site.root.id: site.root}
    texts: dict[str, tuple[str, str]] = {site.root.id: ("Handbook", "root")}
    seen: dict[tuple[str | None, str], tuple[str, str]] = {}
    broken = False
    for step in range(1000 if soak else 30):
        site.pass_time(seconds=chance.choice((1, 20, 70, 400)))
        what = chance.choice(("put", "edit", "edit", "retitle", "trash", "break", "heal", "heal"))
        chosen = chance.choice(sorted(pages))
        if what == "put" and len(pages) < 9:
            title = chance.choice(TITLES)
            page = site.page(title, f"text {step}", pages[chosen])
            pages[page.id], texts[page.id] = page, (title, f"text {step}")
        elif what == "edit":
            site.edit(pages[chosen], text=f"text {step}")
            texts[chosen] = texts[chosen][0], f"text {step}"
        elif what == "retitle":
            title = chance.choice(TITLES)
            site.edit(pages[chosen], title=title)
            texts[chosen] = title, texts[chosen][1]
        elif what == "trash" and chosen != site.root.id:
            site.trash(pages[chosen])
            pages = {number: page for number, page in pages.items() if not page.trashed}
        elif what == "break":
            site.fail(chance.choice(FAULTS), skip=chance.randrange(12), times=chance.choice((1, 2, 1000)))
            broken = True
        elif what == "heal":
            site.heal()
            broken = False

        expected = {f"pages/{named(texts[number][0], number.replace('-', ''))}": number for number in pages}
        try:
            listing = connector.list()
            found = list(listing)
        except SourceUnavailable:
            assert broken, step
            continue
        if not listing.complete:
            assert broken, (step, listing.errors)
            continue
        assert [entry.uri for entry in found] == sorted(expected), step
        for entry in found:
            number = expected[entry.uri]
            assert entry.native_id == number
            if entry.token is not None:
                assert seen.setdefault((number, entry.token), texts[number]) == texts[number]
        if not broken:
            entry = chance.choice(found)
            into = tmp_path / f"{step}"
            fetched = connector.fetch(entry.uri, into)
            assert texts[expected[entry.uri]][1] in into.read_text()
            assert fetched.entry in (entry, entry._replace(token=None))
            into.unlink()
