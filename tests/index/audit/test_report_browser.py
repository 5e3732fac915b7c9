"""The report in a real browser: filters, order, keyboard, phone, paper, dark, and its security policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from connectors.base import ConnectorSettings
from index.audit.audit import audit
from index.audit.report import page_of, write
from index.audit.result import PastAudit
from index.config import Rule, SourceConfig
from index.freshness.finding import Finding
from index.model import State
from index.records import Document, Review
from tests.browser import ENTER, SPACE, TAB, Browser
from tests.soak import LONG

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
EVIL = '</script><script>alert("1")</script><!-- &amp; {by} \u202e'
SOURCE = SourceConfig(
    "handbook",
    "files",
    ConnectorSettings(),
    owner="group:docs",
    rules=(Rule("archive/**", freshness="exempt"), Rule("hr/**", owner="user:anna")),
)


def documents() -> Iterator[Document]:
    for number in range(600):
        folder = ("hr", "it", "archive")[number % 3]
        modified = NOW - timedelta(days=number / 2)
        given: dict[str, Any] = {"title": f"Guide {number}", "modified_at": modified}
        uri = f"{folder}/guide-{number}.md"
        if number == 599:
            given |= {"title": EVIL, "url": 'https://x/"onmouseover="alert(1)', "properties": {"owner": EVIL}}
        yield Document(f"id-{uri}", "handbook", uri, State.INDEXED, version=1, chunk_count=1, **given)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reports of 600 documents, a week after another audit."""
    folder = tmp_path_factory.mktemp("reports")
    review = Review("id-hr/guide-300.md", "bo", "still right", NOW - timedelta(days=170))
    base = audit(
        documents(), {"handbook": SOURCE}, NOW, name="Fish & Chips", reviews={review.document_id: [review]}
    )
    where = ("handbook", "hr/guide-300.md", "id-hr/guide-300.md", "user:anna")
    dead = Finding(
        "dead-link", *where, "The link to ../gone.md leads nowhere.", 3, remedy="Link to ../here.md."
    )
    lag = Finding("sync-lag", "handbook", None, None, "group:docs", "It lags.", remedy="Run: freshkb sync")
    old = [replace(f, status="open", first_seen_at=NOW - timedelta(days=30)) for f in base.findings]
    past = PastAudit(NOW - timedelta(days=7), {"stale": 300, "fresh": 100, "warn": 10}, {})
    write(replace(base, findings=(lag, dead, *old), past=(past,)), folder)
    return folder


@pytest.fixture
def page(browser: Browser, folder: Path) -> Iterator[Browser]:
    """The report, open on a desktop; nothing may be said in the console."""
    browser.size(1280, 900)
    browser.media()
    browser.open(folder / "report.html")
    yield browser
    assert browser.complaints() == []


ROWS = "[...document.querySelectorAll('#rows tbody tr')]"
NAMES = f"{ROWS}.map((row) => row.querySelector('th').firstChild.textContent)"


def count(page: Browser) -> str:
    said: str = page.run("return document.querySelector('#count').textContent")
    return said


def choose(page: Browser, name: str, value: str) -> None:
    page.click(f"select[name={name}] option[value='{value}']")


def text_of(element: Any) -> str:
    return "".join("".join(element.itertext()).split())


def test_the_script_shows_what_the_page_has_without_it(page: Browser, folder: Path) -> None:
    plain = etree.HTML((folder / "report.html").read_text())
    rows = plain.xpath("//table[@id='rows']/tbody/tr")
    assert len(rows) == 601
    shown = page.run(f"return {ROWS}.map((row) => row.textContent.replace(/\\s+/g, ''))")
    assert shown == list(map(text_of, rows[:200]))
    links = page.run(
        f"return {ROWS}.map((row) => [...row.querySelectorAll('a')].map((a) => a.getAttribute('href')))"
    )
    assert links == [row.xpath(".//a/@href") for row in rows[:200]]
    page.click("#more")
    page.click("#more")
    page.click("#more")
    assert page.run(f"return {ROWS}.length") == 601
    assert not page.run("return document.querySelector('#more').checkVisibility()")
    assert page.run("return document.activeElement.tagName") == "TH", "the focus goes on where the button was"


def test_without_a_script_all_rows_are_there_and_no_controls(page: Browser, folder: Path) -> None:
    page.scripts(on=False)
    try:
        page.open(folder / "report.html")
        assert page.run(f"return {ROWS}.length") == 601
        assert not page.run("return document.querySelector('#filters').checkVisibility()")
        assert page.run("return document.querySelectorAll('#rows thead button').length") == 0
        page.click("#rows details summary")
        assert page.run("return document.querySelector('#rows details').open")
    finally:
        page.scripts(on=True)


def test_search_and_filters_find_together_and_can_be_sent_as_a_link(page: Browser, folder: Path) -> None:
    assert count(page) == "601 in all"
    page.type("input[name=q]", "GUIDE-30")
    page.until("document.querySelector('#count').textContent !== arguments[0]", "601 in all")
    found = page.run(f"return {NAMES}")
    assert len(found) == 11 and all("30" in name for name in found)
    choose(page, "owner", "user:anna")
    assert page.run(f"return {NAMES}") == ["Guide 309", "Guide 306", "Guide 303", "Guide 300", "Guide 30"]
    choose(page, "verdict", "warn")
    choose(page, "check", "dead-link")
    choose(page, "status", "new")
    assert page.run(f"return {NAMES}") == ["Guide 300"]
    assert count(page) == "1 of 601"
    link = page.run("return location.hash")
    page.click("form button")
    page.until("document.querySelector('#count').textContent === '601 in all'")
    page.open(folder / "report.html", link)
    assert page.run(f"return {NAMES}") == ["Guide 300"]
    page.open(folder / "report.html", "#owner=nobody-here&sort=-nothing")
    assert count(page) == "601 in all"


def test_columns_sort_by_mouse_and_keyboard_and_say_so(page: Browser) -> None:
    headings = "[...document.querySelectorAll('#rows th[aria-sort]')]"
    sorted_by = f"return {headings}.map((th) => [th.textContent, th.ariaSort])"
    assert page.run(sorted_by) == [["Verdict", "ascending"]]
    assert page.run(f"return {NAMES}[0]") == "handbook", "sources come first"
    page.click("th[data-sort=name] button")
    assert page.run(sorted_by) == [["Document", "ascending"]]
    assert page.run(f"return {NAMES}.slice(1, 4)") == ["Guide 0", "Guide 1", "Guide 2"]
    page.press(TAB, TAB, ENTER)
    assert page.run(sorted_by) == [["Age", "descending"]]
    assert page.run(f"return {NAMES}[1]") == "Guide 598", "the oldest first"
    page.press(SPACE)
    assert page.run(sorted_by) == [["Age", "ascending"]]


def test_the_keyboard_reaches_everything_and_shows_where_it_is(page: Browser) -> None:
    page.press(TAB)
    assert page.run("return document.activeElement.className") == "skip"
    page.press(ENTER)
    assert page.run("return document.activeElement.id") == "documents"
    page.press(TAB)
    assert page.run("return document.activeElement.name") == "q"
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.run("document.querySelector('#rows details summary').focus()")
    page.press(ENTER)
    assert page.run("return document.querySelector('#rows details').open")


def test_a_screen_reader_is_told_names_and_states(page: Browser) -> None:
    unnamed = """
        const named = (e) => e.labels?.length || e.ariaLabel || e.getAttribute("aria-labelledby")
          || e.textContent.trim();
        const parts = "input, select, button, a, svg[role=img], section, [role=search]";
        return [...document.querySelectorAll(parts)].filter((e) => !named(e)).map((e) => e.outerHTML)"""
    assert page.run(unnamed) == []
    assert page.run("return document.querySelector('#count').ariaLive") == "polite"
    ids = page.run("return [...document.querySelectorAll('[id]')].map((e) => e.id)")
    assert len(ids) == len(set(ids))
    assert page.run(
        "return [...document.querySelectorAll('tbody tr')].every((row) => row.querySelector('th[scope=row]'))"
    )


def test_hostile_text_stays_text_and_the_policy_stops_what_is_not_ours(page: Browser, folder: Path) -> None:
    page.type("input[name=q]", "alert")
    page.until("document.querySelector('#count').textContent === '1 of 601'")
    shown = EVIL.replace("\u202e", "\\u202e")
    assert page.run(f"return {NAMES}") == [shown]
    assert page.run("return document.querySelectorAll('script').length") == 2
    assert page.run("return [...document.querySelectorAll('*')].filter((e) => e.onmouseover).length") == 0
    assert page.complaints() == []
    forged = (
        (folder / "report.html")
        .read_text()
        .replace(
            "<main>", "<main><script>document.title = 'owned'</script><p onclick='x' style='color: red'></p>"
        )
    )
    (folder / "forged.html").write_text(forged)
    page.open(folder / "forged.html")
    assert page.run("return document.title").startswith("Freshness of Fish & Chips")
    assert len([line for line in page.complaints() if "Content Security Policy" in line]) >= 2


# In the short form the narrowest stands for those that are wider.
@pytest.mark.parametrize("width", [320, *(pytest.param(width, marks=LONG) for width in (390, 768))])
def test_a_small_screen_scrolls_in_one_direction(page: Browser, folder: Path, width: int) -> None:
    page.size(width, 800)
    for name in ("report.html", page_of("user:anna")):
        page.open(folder / name)
        page.run("for (const details of document.querySelectorAll('details')) details.open = true")
        assert page.run("return document.documentElement.scrollWidth") <= width
    assert page.run("return document.querySelector('#rows thead button').checkVisibility()")


def test_paper_has_all_rows_with_what_to_do_and_no_controls(page: Browser) -> None:
    page.media("print")
    assert not page.run("return document.querySelector('#filters').checkVisibility()")
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run(f"return {ROWS}.length") == 601
    assert page.run(
        "return [...document.querySelectorAll('#rows code')].every((code) => code.checkVisibility())"
    )
    page.run("dispatchEvent(new Event('afterprint'))")
    assert page.run(f"return {ROWS}.length") == 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(page: Browser, folder: Path, scheme: str) -> None:
    page.media(prefers_color_scheme=scheme)
    page.open(folder / "report.html")
    low = page.run(CONTRAST)
    assert low == []
    dark = page.run("return getComputedStyle(document.body).backgroundColor") == "rgb(17, 21, 27)"
    assert dark == (scheme == "dark")


#: Texts with a contrast of less than 4.5 to 1 to what is behind them, as WCAG 2 computes it.
CONTRAST = """
const light = (color) => {
  const [r, g, b] = color.match(/[\\d.]+/g).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * r + .7152 * g + .0722 * b;
};
const behind = (element) => {
  for (; element; element = element.parentElement) {
    const color = getComputedStyle(element).backgroundColor;
    if (!/, 0\\)$/.test(color)) return color;
  }
  return "rgb(255, 255, 255)";
};
const low = new Set();
for (const element of document.querySelectorAll("main *")) {
  const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  if (!own || !element.checkVisibility() || element.closest(".unseen, select")) continue;
  const [a, b] = [light(getComputedStyle(element).color), light(behind(element))].sort((x, y) => y - x);
  if ((a + .05) / (b + .05) < 4.5) low.add(`${element.tagName}.${element.className}`);
}
return [...low];
"""


def test_an_owners_page_is_the_same_page_for_what_is_theirs(page: Browser, folder: Path) -> None:
    choose(page, "owner", "user:anna")
    expected = page.run(f"return {NAMES}")
    page.click("#rows td.owner a")
    assert page.run("return document.querySelector('h1').textContent") == "user:anna"
    assert page.run(f"return {NAMES}") == expected
    page.click("header a")
    assert page.run("return document.querySelector('h1').textContent") == "Freshness of Fish & Chips"
