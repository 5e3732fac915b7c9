"""Random histories of a site against a model of it: each listing holds what the model says."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.base import DocumentError
from connectors.web.connector import WebConnector
from connectors.web.crawl import MISSES
from tests.connectors.web.website import WORDS, Scripted, Website, connect
from tests.soak import LONG

STEPS = 40


class Model:
    """The site, and what a listing has to hold."""

    def __init__(self, site: Website, cache: Path, seed: int) -> None:
        self.site, self.cache, self.random = site, cache, random.Random(seed)
        self.texts: dict[str, str] = {}
        """The pages that are there."""
        self.gone: dict[str, int] = {}
        """Status of pages that were there."""
        self.linked: set[str] = set()
        self.misses: dict[str, int] = {}
        """Listings in a row that found a listed page missing."""
        self.buried: dict[str, int] = {}
        """The same of pages that are gone, and are asked for a few times more."""
        self.failing: set[str] = set()
        self.troubled = ""
        """What fails of the site as a whole."""
        self.tokens: dict[tuple[str, str], str | None] = {}
        self._faults: dict[str, Scripted] = {}
        self._number = 0

    # ── Steps ─────────────────────────────────────────────────────────────────────────────────────────

    def step(self) -> str:
        steps: list[Callable[[], None]] = [self.put, self.put, self.edit, self.edit, self.vanish, self.vanish]
        steps += [self.come_back, self.unlink, self.fail, self.mend, self.menu, self.forget, self.nothing]
        chosen = self.random.choice(steps)
        chosen()
        self._publish()
        return chosen.__name__

    def put(self) -> None:
        self._number += 1
        path = self.random.choice([f"/p{self._number}", f"/d{self._number % 3}/ü {self._number}"])
        self.texts[path] = f"{WORDS} Number {self._number}."
        self.linked.add(path)

    def edit(self) -> None:
        if path := self._some(self.texts):
            self._number += 1
            self.texts[path] = f"{WORDS} Edited {self._number}."

    def vanish(self) -> None:
        if path := self._some(self.texts):
            del self.texts[path]
            self.gone[path] = self.random.choice([404, 404, 410])

    def come_back(self) -> None:
        if path := self._some(self.gone):
            del self.gone[path]
            self.texts[path] = f"{WORDS} Back."

    def unlink(self) -> None:
        self.linked.discard(self._some(self.texts) or "")

    def fail(self) -> None:
        if self.random.random() < 0.4:
            self.troubled = self.random.choice(["/robots.txt", "/sitemap.xml"])
        elif (path := self._some(self.texts)) and len(self.failing) < 2:
            self.failing.add(path)

    def mend(self) -> None:
        self.failing.clear()
        self.troubled = ""

    def menu(self) -> None:
        self._number += 1
        self.site.menu = f"Menu {self._number}"

    def forget(self) -> None:
        shutil.rmtree(self.cache, ignore_errors=True)
        self.misses, self.buried = {}, {}

    def nothing(self) -> None:
        pass

    def _some(self, pages: dict[str, str] | dict[str, int]) -> str | None:
        return self.random.choice(sorted(pages)) if pages else None

    def _publish(self) -> None:
        site = self.site
        site.answers.clear()
        site.sitemap("/sitemap.xml", *sorted(self.linked))
        for path, text in self.texts.items():
            site.page(path, text)
        for path, status in self.gone.items():
            site.status(path, status)
        for path in self.failing | ({self.troubled} if self.troubled else set()):
            site.status(path, 503)

    # ── Expectations ──────────────────────────────────────────────────────────────────────────────────

    def expected(self) -> tuple[set[str], bool]:
        """(pages that the next listing holds, whether it is complete); the model then has had it."""
        if self.troubled == "/robots.txt":
            return set(self.misses), False
        found = set(self.misses) if self.troubled else set(self.misses) | self.linked
        asked_and_failed = (found | set(self.buried)) & self.failing
        for path in sorted(set(self.buried) - self.failing):
            if path in self.texts:
                found.add(path)
                del self.buried[path]
            else:
                self.buried[path] += 1
                if self.buried[path] >= 10:
                    del self.buried[path]
        for path in sorted(found - self.failing):
            if path in self.texts:
                self.misses[path] = 0
            elif path in self.misses:
                self.misses[path] += MISSES if self.gone[path] == 410 else 1
                if self.misses[path] >= MISSES:
                    self.buried[path] = max(MISSES, self.misses.pop(path))
        return set(self.misses), not (self.troubled or asked_and_failed)

    def check_tokens(self, tokens: dict[str, str | None]) -> None:
        """A page that answers has a token of its text: the same for the same, another for another."""
        for path, token in tokens.items():
            if path in self.texts and path not in self.failing and self.troubled != "/robots.txt":
                assert token is not None
                assert self.tokens.setdefault((path, self.texts[path]), token) == token
        there = [(path, token) for (path, _), token in self.tokens.items()]
        assert len(set(there)) == len(there)

    def check_stat(self, connector: WebConnector, listed: set[str]) -> None:
        """No page that a listing lacks is confirmed to be gone while it answers, or fails."""
        if self.troubled:
            return
        for path in sorted(set(self.texts) - listed):
            uri = f"{self.site.host}{path}"
            if path in self.failing:
                with pytest.raises(DocumentError):
                    connector.stat(uri)
            else:
                assert connector.stat(uri) is not None
                self.misses[path] = 0
                self.buried.pop(path, None)


def run(site: Website, folder: Path, seed: int, steps: int) -> None:
    site.clear()
    model = Model(site, folder / "cache" / "site", seed)
    connectors = [
        connect(site, model.cache, start=[], sitemaps=[f"{site.url}/sitemap.xml"]) for _ in range(2)
    ]
    done: list[str] = []
    for number in range(steps):
        done.append(model.step())
        connector = connectors[number % 2]
        listing = connector.list()
        entries = list(listing)
        found = {"/" + entry.uri.partition("/")[2]: entry.token for entry in entries}
        expected, complete = model.expected()
        assert (set(found), listing.complete) == (expected, complete), (seed, done, listing.errors)
        assert [entry.uri for entry in entries] == sorted(entry.uri for entry in entries)
        model.check_tokens(found)
        model.check_stat(connector, expected)
    for connector in connectors:
        connector.close()


#: In the short form two seeds stand for five.
SEEDS = [0, 1, *(pytest.param(seed, marks=LONG) for seed in (2, 3, 4))]


@pytest.mark.parametrize("seed", SEEDS)
def test_each_of_200_steps_is_listed_as_it_is(site: Website, tmp_path: Path, seed: int, soak: bool) -> None:
    run(site, tmp_path, seed, STEPS * (20 if soak else 1))
