"""What is each service's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from unstructured_ingest.data_types.file_data import FileData, FileDataSourceMetadata, SourceIdentifiers
from unstructured_ingest.interfaces import Downloader, DownloaderConfig
from unstructured_ingest.logger import logger

from connectors.base import DocumentChanging, DocumentError, Entry, SourceUnavailable
from connectors.ingest.jira import Jira
from connectors.ingest.names import identifier, named
from connectors.ingest.service import Listed, downloaded, files
from connectors.ingest.times import nanoseconds
from connectors.ingest.wire import Patience
from tests.connectors.ingest.confluence_site import ConfluenceSite
from tests.connectors.ingest.conftest import CONFLUENCE, NOTION, SHAREPOINT, Make
from tests.connectors.ingest.graph_site import GraphSite
from tests.connectors.ingest.notion_site import NotionSite

# ── Confluence ────────────────────────────────────────────────────────────────────────────────────────


def test_no_cap_of_the_library_cuts_a_listing(confluence: ConfluenceSite, make: Make) -> None:
    """Its own: 100 pages of a space, 500 spaces."""
    confluence.page_size = 250
    for number in range(520):
        confluence.spaces[str(65601 + number)] = f"S{number}"
    for number in range(260):
        confluence.put(f"Page {number}", "x", "65601")
    confluence.put("The last", "x", "66120")
    listing = make("confluence", CONFLUENCE).list()
    assert sum(1 for _ in listing) == 261
    assert listing.complete
    assert len(confluence.asked) == 3 + 1 + 520


def test_1000_unchanged_pages_cost_five_requests(confluence: ConfluenceSite, make: Make) -> None:
    confluence.page_size = 250
    for number in range(1000):
        confluence.put(f"Page {number}", "x")
    connector = make("confluence", {**CONFLUENCE, "spaces": ["KB"]})
    assert sum(1 for _ in connector.list()) == 1000
    assert len(confluence.asked) == 5


def test_two_pages_with_one_title_are_two_documents(confluence: ConfluenceSite, make: Make) -> None:
    confluence.spaces["65602"] = "OPS"
    for space in ("65601", "65602", "65602"):
        confluence.put("Overview", "x", space)
    entries = list(make("confluence", CONFLUENCE).list())
    assert [entry.uri for entry in entries] == [
        "KB/Overview~98305",
        "OPS/Overview~98306",
        "OPS/Overview~98307",
    ]
    assert {(entry.properties or {})["title"] for entry in entries} == {"Overview"}


def test_a_space_that_is_not_there_is_an_error(confluence: ConfluenceSite, make: Make) -> None:
    confluence.put("Page", "x")
    connector = make("confluence", {**CONFLUENCE, "spaces": ["KB", "GONE"]})
    with pytest.raises(SourceUnavailable):
        connector.list()


def test_a_page_in_another_space_is_not_of_this_source(confluence: ConfluenceSite, make: Make) -> None:
    confluence.spaces["65602"] = "OPS"
    page = confluence.put("Page", "x", "65602")
    connector = make("confluence", {**CONFLUENCE, "spaces": ["KB"]})
    assert connector.stat(f"OPS/{named('Page', page.id)}") is None
    assert connector.stat(f"KB/{named('Page', page.id)}") is None


# ── SharePoint ────────────────────────────────────────────────────────────────────────────────────────


def test_names_with_anything_in_them_are_found_again(graph: GraphSite, make: Make, tmp_path: Path) -> None:
    for name in ("100% & more #1.md", "c%41.md", "a b/ä 日本.md", "x'y;z.md", "sub.folder/~.md"):
        graph.put(name, name.encode())
    connector = make("sharepoint", SHAREPOINT)
    entries = list(connector.list())
    assert len(entries) == 5
    for number, entry in enumerate(entries):
        assert connector.stat(entry.uri) == entry
        connector.fetch(entry.uri, tmp_path / str(number))
    assert {(tmp_path / str(number)).read_text() for number in range(5)} >= {"c%41.md", "a b/ä 日本.md"}
    assert connector.stat(entries[0].uri.upper()) is None


def test_a_folder_is_listed_without_its_path_and_folders_below_unless_it_is_told_otherwise(
    graph: GraphSite, make: Make
) -> None:
    for uri in ("docs/mydocs/docs.md", "docs/a.md", "b.md"):
        graph.put(uri, b"x")
    below = make("sharepoint", {**SHAREPOINT, "path": "docs"})
    assert [entry.uri for entry in below.list()] == ["a.md", "mydocs/docs.md"]
    flat = make("sharepoint", {**SHAREPOINT, "path": "docs", "recursive": False})
    assert [entry.uri for entry in flat.list()] == ["a.md"]
    assert flat.stat("mydocs/docs.md") is None


def test_a_library_that_is_not_there_is_no_reason_to_list_another(graph: GraphSite, make: Make) -> None:
    graph.put("a.md", b"x")
    with pytest.raises(SourceUnavailable, match="no library 'Archive'"):
        make("sharepoint", {**SHAREPOINT, "library": "Archive"}).list()
    assert sum(1 for _ in make("sharepoint", {**SHAREPOINT, "library": "Documents"}).list()) == 1


def test_a_path_that_is_not_there_is_an_error(graph: GraphSite, make: Make) -> None:
    with pytest.raises(SourceUnavailable, match="404"):
        make("sharepoint", {**SHAREPOINT, "path": "nowhere"}).list()


def test_wrong_credentials_are_named(graph: GraphSite, make: Make) -> None:
    with pytest.raises(SourceUnavailable, match="check tenant, client_id and its secret") as raised:
        make("sharepoint", {**SHAREPOINT, "client_cred": "wrong-s3cret"}).probe()
    assert "wrong-s3cret" not in str(raised.value)


def test_one_token_serves_all_questions(graph: GraphSite, make: Make) -> None:
    for number in range(30):
        graph.put(f"f{number}/a.md", b"x")
    connector = make("sharepoint", SHAREPOINT)
    assert sum(1 for _ in connector.list()) == 30
    assert sum(asked.startswith("POST") for asked in graph.asked) == 1


def test_a_new_token_is_had_after_the_old_one_was_refused(graph: GraphSite, make: Make) -> None:
    graph.put("a.md", b"x")
    connector = make("sharepoint", SHAREPOINT)
    assert sum(1 for _ in connector.list()) == 1
    graph.tokens = {"graph-token-2"}
    with pytest.raises(SourceUnavailable):
        connector.list()
    assert sum(1 for _ in connector.list()) == 1


def test_loop_components_are_no_documents(graph: GraphSite, make: Make) -> None:
    # It takes a second to import, in each process that collects tests.
    from connectors.ingest.microsoft import Sharepoint

    graph.put("a.loop", b"x")
    connector = make("sharepoint", SHAREPOINT)
    assert list(connector.list()) == []
    assert connector.stat("a.loop") is None
    assert Sharepoint.title == "SharePoint"


# ── Notion ────────────────────────────────────────────────────────────────────────────────────────────


def only(listing: Any) -> Entry:
    (entry,) = listing
    return entry  # type: ignore[no-any-return]


def test_a_time_is_a_version_only_after_its_minute(notion: NotionSite, make: Make) -> None:
    notion.block(notion.root, "first")
    connector = make("notion", NOTION)
    notion.pass_time(seconds=50)
    entry = only(connector.list())
    assert entry.token is None
    assert connector.fetch(entry.uri, None).entry.token is None
    # The minute of the edit is over by a second, and clocks differ.
    notion.pass_time(seconds=11)
    assert only(connector.list()).token is None
    notion.pass_time(minutes=1)
    assert only(connector.list()).token == "2026-03-01T09:00:00.000Z"


def test_an_edit_in_the_minute_of_another_is_seen(notion: NotionSite, make: Make) -> None:
    notion.block(notion.root, "first")
    connector = make("notion", NOTION)
    before = only(connector.list())
    text = connector.fetch(before.uri, None)
    notion.pass_time(seconds=5)
    notion.edit(notion.root, text="second")
    after = only(connector.list())
    assert after.modified_at == before.modified_at
    assert (before.token, text.entry.token, after.token) == (None, None, None)
    assert connector.fetch(after.uri, None).content_hash != text.content_hash


def test_pages_in_toggles_and_rows_of_databases_are_listed(notion: NotionSite, make: Make) -> None:
    toggle = notion.block(notion.root, "toggle", "toggle")
    inner = notion.block(toggle, "inner", "toggle")
    notion.page("Hidden", "x", inner)
    table = notion.database("Table")
    for number in range(5):
        notion.page(f"Row {number}", "x", table)
    notion.pass_time(minutes=10)
    connector = make("notion", NOTION)
    entries = {(entry.properties or {})["title"]: entry for entry in connector.list()}
    assert entries.keys() == {"Handbook", "Hidden", "Table", *(f"Row {number}" for number in range(5))}
    assert entries["Table"].token is None
    for entry in entries.values():
        assert connector.stat(entry.uri) == entry
        assert connector.fetch(entry.uri, None).entry == entry
    assert not [asked for asked in notion.asked if asked.startswith("HEAD")]
    alone = make("notion", {**NOTION, "recursive": False})
    assert [(entry.properties or {})["title"] for entry in alone.list()] == ["Handbook"]
    assert alone.stat(entries["Hidden"].uri) is None


def test_a_page_that_shows_blocks_of_another_has_no_version(notion: NotionSite, make: Make) -> None:
    origin = notion.block(notion.root, "x")
    notion.block(notion.root, "", "synced_block").synced_from = origin.id
    notion.pass_time(minutes=10)
    assert only(make("notion", NOTION).list()).token is None


def test_a_page_that_was_moved_away_is_gone_though_it_exists(notion: NotionSite, make: Make) -> None:
    page = notion.page("Page", "x")
    connector = make("notion", NOTION)
    uri = next(entry.uri for entry in connector.list() if entry.native_id == page.id)
    assert connector.stat(uri) is not None
    notion.root.inside.remove(page.id)
    page.parent = {"type": "workspace", "workspace": True}
    assert connector.stat(uri) is None
    assert len(list(connector.list())) == 1


def test_a_root_that_is_not_shared_any_more_is_no_reason_to_remove_anything(
    notion: NotionSite, make: Make
) -> None:
    notion.concealed.add(notion.root.id)
    with pytest.raises(SourceUnavailable, match="404"):
        make("notion", NOTION).list()


def test_a_page_that_is_written_to_all_the_time_is_given_up(notion: NotionSite, make: Make) -> None:
    notion.block(notion.root, "text 0")
    connector = make("notion", NOTION)
    uri = only(connector.list()).uri
    really, times = notion.answer, iter(range(1, 1000))

    def answer(request: Any) -> Any:
        if request.path.endswith("/children"):
            notion.edit(notion.root, text=f"text {next(times)}")
        return really(request)

    notion.answer = answer  # type: ignore[method-assign]
    with pytest.raises(DocumentChanging):
        connector.fetch(uri, None)


def test_notion_needs_to_be_told_where_to_begin(make: Make) -> None:
    with pytest.raises(SourceUnavailable, match="page_ids or database_ids"):
        make("notion", {"notion_api_key": "ntn_x"}).probe()


# ── Those that can only be listed ─────────────────────────────────────────────────────────────────────


class Tail(Listed):
    """A service of which only the indexer is asked."""

    title = "Tail"

    def __init__(self) -> None:
        super().__init__({}, Patience())
        self.there = {"1": "one", "2": "two"}
        self.before: list[tuple[str, Any]] = []
        self.warning = ""
        self.warned_between = False
        self.failure: Exception | None = None
        self.listings = 0
        self.asynchronous = False

    def identity(self) -> str:
        return "tail"

    def indexers(self) -> Any:
        return [*self.before, ("The rest", self)]

    def is_async(self) -> bool:
        return self.asynchronous

    def run(self) -> Iterator[FileData]:
        self.listings += 1
        for number in self.there:
            if self.warned_between:
                logger.warning("One is left out.")
            yield _file(number)
        if self.failure:
            raise self.failure
        if self.warning:
            logger.warning(self.warning)

    async def run_async(self) -> AsyncIterator[FileData]:
        for file in self.run():
            yield file

    def downloader(self, folder: Path) -> Any:
        raise NotImplementedError

    def entry(self, file: FileData) -> Entry:
        return Entry(f"a/{file.identifier}", None, None, None, file.identifier, {"url": "https://x.example"})


def _file(number: str, name: str = "x.txt") -> FileData:
    return FileData(
        identifier=number,
        connector_type="tail",
        source_identifiers=SourceIdentifiers(filename=name, fullpath=name),
        metadata=FileDataSourceMetadata(),
    )


@pytest.fixture
def tail() -> Iterator[Tail]:
    service = Tail()
    yield service
    service.close()


@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_the_library_only_logs_makes_a_listing_incomplete(tail: Tail, asynchronous: bool) -> None:
    tail.asynchronous = asynchronous
    errors: list[str] = []
    assert len(list(tail.records(errors))) == 2
    assert errors == []
    tail.warning = "Channel 'x' not found,\n skipping"
    assert len(list(tail.records(errors))) == 2
    assert errors == ["The listing says: Channel 'x' not found, skipping."]
    logger.error("Heard by nobody.")


def test_a_listing_that_is_dropped_ends_its_loop(tail: Tail) -> None:
    tail.asynchronous = True
    found: Any = files(tail, [])
    next(found)
    found.close()


def test_a_second_look_is_one_more_listing_for_all_documents(tail: Tail) -> None:
    assert len(list(tail.records([]))) == 2
    assert tail.listed("a/1") is not None
    assert tail.listings == 1
    del tail.there["1"]
    assert tail.record("a/1") is None
    assert tail.record("a/2") is not None
    assert tail.record("a/3") is None
    assert tail.listings == 2
    list(tail.records([]))
    assert tail.record("a/2") is not None
    assert tail.listings == 4


def test_a_second_look_that_is_incomplete_removes_nothing(tail: Tail) -> None:
    list(tail.records([]))
    del tail.there["1"]
    tail.warning = "half of it failed"
    with pytest.raises(DocumentError, match="cannot be told"):
        tail.record("a/1")


class Answered(Exception):
    """What a client raises that has been refused."""

    def __init__(self, status: int) -> None:
        self.status = status


@pytest.mark.parametrize("status", [403, 404, 410, 500])
def test_what_another_part_is_refused_is_said_of_no_document(tail: Tail, status: int) -> None:
    tail.failure = Answered(status)
    with pytest.raises(Answered):
        list(tail.records([]))
    assert tail.listed("a/1") is not None
    assert tail.listed("a/2") is not None
    assert tail.listings == 1
    assert tail.record("a/1") is not None
    del tail.there["1"]
    for uri in ("a/3", "a/4"):
        for question in (tail.record, tail.listed):
            with pytest.raises(DocumentError, match="cannot be told: Tail could not be listed") as caught:
                question(uri)
            assert caught.type is DocumentError
    assert tail.listings == 2


def test_a_part_that_is_refused_leaves_the_others(tail: Tail) -> None:
    part = Tail()
    part.there, part.failure = {"3": "three"}, Answered(403)
    tail.before.append(("The channel 'x'", part))
    errors: list[str] = []
    assert [record.entry.uri for record in tail.records(errors)] == ["a/3", "a/1", "a/2"]
    assert errors == [
        "The channel 'x' could not be listed to the end: the account may not read it (HTTP 403)."
    ]
    with pytest.raises(DocumentError, match="cannot be told: The channel 'x' could not be listed"):
        tail.listed("a/4")
    tail.failure = Answered(404)
    with pytest.raises(Answered):
        list(tail.records([]))
    asked, part.failure = tail.listings, Answered(401)
    with pytest.raises(Answered):
        list(tail.records([]))
    assert tail.listings == asked
    part.close()


def test_an_issue_of_two_boards_is_one_document(tail: Tail) -> None:
    jira = Jira(
        {
            "connection_config": {"url": "https://x.example"},
            "access_config": {"token": "t"},
            "indexer_config": {"boards": ["7", "8"]},
        },
        Patience(),
    )
    jira.indexers = lambda: [("One", tail), ("Another", tail)]  # type: ignore[method-assign]
    jira.entry = tail.entry  # type: ignore[method-assign]
    assert [record.entry.uri for record in jira.records([])] == ["a/1", "a/2"]
    jira.close()


@pytest.mark.parametrize("failure", [Answered(401), Answered(429), TimeoutError()])
def test_a_second_look_at_a_service_that_answers_nothing_raises_why(tail: Tail, failure: Exception) -> None:
    list(tail.records([]))
    tail.failure = failure
    with pytest.raises(type(failure)):
        tail.record("a/1")


def test_a_second_look_that_broke_off_leaves_what_the_listing_showed(tail: Tail) -> None:
    list(tail.records([]))
    tail.failure = Answered(403)
    del tail.there["2"]
    with pytest.raises(DocumentError, match="cannot be told"):
        tail.record("a/2")
    assert tail.listed("a/2") is not None


def test_a_warning_that_was_taken_away_leaves_a_listing_incomplete(tail: Tail) -> None:
    """The connector passes on what it has heard before each document."""
    tail.warned_between = True
    errors: list[str] = []
    for _ in tail.records(errors):
        errors.clear()
    with pytest.raises(DocumentError, match="cannot be told"):
        tail.listed("a/3")


@pytest.mark.parametrize("name", ["../../../x.md", "/etc/x", "a\0b.md", "x" * 300])
def test_the_name_of_a_document_does_not_say_where_it_is_written(tmp_path: Path, name: str) -> None:
    class Careless(Downloader):  # type: ignore[misc]
        connector_type = "careless"

        def __init__(self, folder: Path) -> None:
            self.download_config = DownloaderConfig(download_dir=folder)

        def run(self, file_data: FileData, **_: Any) -> Any:
            path = self.get_download_path(file_data)
            assert path is not None
            path.write_bytes(b"x")
            return self.generate_download_response(file_data, path)

    _, path = downloaded(Careless(tmp_path), _file("1", name), tmp_path)
    assert path.parent == tmp_path
    assert path.name.startswith("document")


def test_names_are_readable_and_end_in_their_identifier() -> None:
    assert named("On/Off:\n a  guide", "98309") == "On_Off: a guide~98309"
    assert identifier("KB/a~b~98309") == "98309"
    assert identifier("KB/plain") is None


@pytest.mark.parametrize(
    "said", ["2026-03-01T09:00:00.251Z", "1772355600.251", "2026-03-01T10:00:00.251+01:00"]
)
def test_moments_are_one_whoever_writes_them(said: str) -> None:
    assert nanoseconds(said) == 1_772_355_600_251_000_000
    assert nanoseconds("soon") is None
