"""Documents that attack their parser: each ends as it must, and nothing else happens.

They go through whole syncs, with the real parser behind its walls. Each is followed by a harmless document,
which has to be indexed. Some share a sync, because a knowledge base takes longer to make than most of them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

import pytest

import connectors.walk
from index.freshness.properties import mails_above
from index.model import ATTACHMENTS_MAX, State
from index.parse import Parser
from index.records import Document
from tests.commands import CommandLine
from tests.knowledge import Knowledge, counts
from tests.programs import without_namespaces
from tests.promises import bombs, disguises, lures, pictures
from tests.promises.hostile import HOSTILE, SECRET, Hostile
from tests.promises.stage import Stage, in_time, processes, without_privileges
from tests.soak import LONG

#: Bytes that the process that syncs may grow by.
GROWTH_MAX = 64 << 20
#: Documents that share a sync: in the long form, whose documents are large, and in the short one.
_TOGETHER = {True: 8, False: 20}
#: To import them is to register what they make.
MAKERS = (bombs, pictures, lures, disguises)
#: Only in the long form: what the same code finds in a container of another name. `docx` stands for all that
#: are archives of XML, `xlsx` for far cells, a picture for those that one library opens.
_ALIKE = re.compile(
    r"(heavy|bomb|laughs|half|empty|program|climbing|encrypted)\.(pptx|xlsx|xls|odt)"
    r"|(heavy|bomb|half|empty)\.epub|shared-string\.xlsx|(half|empty)\.(jpeg|tiff|bmp|webp)"
)
#: Lures for the short form without namespaces: of one reader each that would follow an address or a path.
_LURES = ("remote.html", "entities.xml", "include.rst", "remote.docx")

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells what is watched")


def _batches(soak: bool) -> Iterator[list[Hostile]]:
    together = _TOGETHER[soak]
    chosen = [hostile for hostile in HOSTILE if soak or not _ALIKE.fullmatch(hostile.name)]
    for _, group in groupby(sorted(chosen, key=lambda h: h.seconds), key=lambda h: h.seconds):
        alike = list(group)
        yield from (alike[at : at + together] for at in range(0, len(alike), together))


def _name(batch: Iterable[Hostile]) -> str:
    first = next(iter(batch)).name
    return re.sub(r"[^\w.-]+", "-", first.encode("ascii", "replace").decode())[-30:]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "batch" in metafunc.fixturenames:
        soak = bool(metafunc.config.getoption("--soak"))
        metafunc.parametrize("batch", list(_batches(soak)), ids=_name)


def test_a_hostile_document_ends_as_it_must_and_harms_nobody(
    batch: list[Hostile], staged: Callable[[Parser], Stage], walled: Parser
) -> None:
    stage = staged(walled)
    grown = _synced(batch, stage)
    print(f"This process grew by {grown >> 20} MiB.")
    assert grown < GROWTH_MAX, f"grew by {grown >> 20} MiB"
    assert len(processes(stage.temporary)) <= 3 * walled.children_max


def test_where_there_are_no_namespaces_documents_still_reach_no_other_machine(
    staged: Callable[[Parser], Stage], soak: bool
) -> None:
    lures = [h for h in HOSTILE if h.name.startswith(("remote", "entities", "type", "include", "table"))]
    if not soak:
        lures = [h for h in lures if h.name in _LURES]
        assert len(lures) == len(_LURES)
    # One child: each would import the readers of all these formats.
    with without_namespaces(children_max=1) as parser:
        stage = staged(parser)
        _synced(lures, stage)
        assert parser.isolated is False


def _synced(batch: list[Hostile], stage: Stage) -> int:
    """Sync these and judge what became of them; by how much this process grew."""
    kb = stage.kb
    # What takes all the time that it is given gets half of it in the short form.
    seconds = batch[0].seconds / (1 if stage.scene.large else 2)
    kb.source["limits"] = {"parse_timeout": f"{seconds:g}s"}
    for number, hostile in enumerate(batch):
        folder = kb.docs / f"{number:02}"
        folder.mkdir()
        hostile.make(folder / hostile.name, stage.scene.below(folder))
        kb.write(f"{number:02}/~after.md", f"# After {number}\n\nText after.\n")
    with without_privileges():
        grown = stage.sync()
        documents, texts = kb.documents(), kb.texts()
        assert not [uri for uri, text in texts.items() if SECRET in text]
        for number, hostile in enumerate(batch):
            _judge(hostile, f"{number:02}/", documents, texts, stage)
        # Nothing is tried again, and nothing is embedded again.
        kb.parser.parsed.clear()
        again = counts(kb.sync())
    assert kb.parser.parsed == []
    assert again["embedded"] == 0
    known = [document for document in documents.values() if document.state is not State.SKIPPED]
    assert again["unchanged"] == len(known) - sum(hostile.transient for hostile in batch)
    return grown


def _judge(
    hostile: Hostile, folder: str, documents: dict[str, Document], texts: dict[str, str], stage: Stage
) -> None:
    here = {uri: document for uri, document in documents.items() if uri.startswith(folder)}
    assert here.pop(f"{folder}~after.md").state is State.INDEXED, hostile.name
    assert "Text after." in texts[f"{folder}~after.md"]
    if hostile.state is None:
        assert here == {}, hostile.name
        return
    attached = [uri for uri, document in here.items() if mails_above(uri, document.properties)]
    for name in (uri.removeprefix(f"{folder}{hostile.name}/") for uri in attached):
        assert name.isprintable() and "/" not in name and not name.startswith("."), (hostile.name, name)
    assert len(attached) <= ATTACHMENTS_MAX
    ((uri, found),) = ((uri, document) for uri, document in here.items() if uri not in attached)
    seconds = stage.timed.seconds.get(found.document_id, 0.0)
    # What is refused may have been so before it was parsed.
    assert seconds or found.state is not State.INDEXED, hostile.name
    print(f"{hostile.name[-40:]!r}: {found.state}, {seconds:.2f} s. {found.reason}")
    assert in_time(seconds, hostile.seconds), (hostile.name, seconds)
    if hostile.optional and found.state is State.INDEXED:
        return
    assert found.state is hostile.state, (hostile.name, found.state, found.reason)
    if found.state is State.INDEXED:
        assert found.reason == ""
        assert hostile.text in texts.get(uri, ""), (hostile.name, texts.get(uri, "")[:200])
        return
    assert hostile.understood(found.reason), (hostile.name, found.reason)
    # A sentence without any detail of how it was found out.
    assert len(found.reason) <= 400 and found.reason.isprintable() and found.reason[-1] == ".", found.reason
    assert not re.search(r"Traceback|freshkb-|0x[0-9a-f]{6}", found.reason), (hostile.name, found.reason)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("folder", marks=LONG),
        "folder/inner",
    ],
)
def test_a_folder_that_becomes_a_link_during_the_walk_leads_nowhere(
    name: str, staged: Callable[[Parser], Stage], walled: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = staged(walled)
    kb = stage.kb
    kb.write("folder/a.md", "# A\n\nText of a.\n")
    kb.write("folder/inner/b.md", "# B\n\nText of b.\n")
    kb.sync()
    before = kb.texts()
    for lure in ("a.md", "b.md", "inner/a.md", "inner/b.md"):
        (stage.scene.outside / lure).parent.mkdir(exist_ok=True)
        (stage.scene.outside / lure).write_text(SECRET)
    scan, swapped, aside = connectors.walk._scan, kb.docs / name, stage.home / "aside"

    def swapping(folder: int, hidden: bool, *, with_folders: bool) -> list[str]:
        found = scan(folder, hidden, with_folders=with_folders)
        if f"{swapped.name}/" in found and not aside.exists():
            swapped.rename(aside)
            swapped.symlink_to(stage.scene.outside)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(connectors.walk, "_scan", swapping)
        report = kb.sync()
    assert aside.exists()
    assert [source.complete for source in report.sources] == [False]
    assert kb.texts() == before
    swapped.unlink()
    aside.rename(swapped)
    assert counts(kb.sync()) == {"unchanged": 4, "embedded": 0}


def test_no_name_and_no_reason_commands_the_terminal(
    tmp_path: Path, walled: Parser, monkeypatch: pytest.MonkeyPatch
) -> None:
    kb = Knowledge(tmp_path / "kb", walled)
    run = CommandLine(kb, monkeypatch)
    names = [lures.TERMINAL, lures.NOT_UTF8, "a\u2066b.md", "two\nlines.docx", "del\x7f\x85.xyz"]
    for name in names:
        (kb.docs / name).write_text(f"# A title \u202e\x1b[31m\n\nA text of {len(name)}.\n")
    shown = [run("plan").output, run("sync", code=3).output]
    uris = sorted(kb.documents())
    shown += [run("ls").output, run("search", "title").output, run("runs").output]
    shown += [run("show", uri).output for uri in uris]
    for name in names[:2]:
        (kb.docs / name).unlink()
    kb.source["delete"] = {"max_fraction": 0, "max_count": 0}
    kb.config()
    shown += [run("plan", code=4).output, run("sync", code=4).output, run("verify", code=None).output]
    forbidden = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
    for output in [*shown, run("ls", "--json").output, run("plan", "--json", code=4).output]:
        assert forbidden.findall(output) == []
    # A document is one line.
    assert len(shown[2].splitlines()) == len(uris) + 1
