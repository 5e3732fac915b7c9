"""Formats by suffix, and the inputs of the extraction fingerprint."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from connectors.base import Entry
from index.parse import fingerprint, fingerprints, format_of, formats, suffix_of

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("uri", "name"),
    [
        ("a.md", "markdown"),
        ("deep/down/A.B.MARKDOWN", "markdown"),
        ("x.JPEG", "jpeg"),
        ("x.htm", "html"),
        ("feed.ndjson", "jsonl"),
        ("r\u00e9sum\u00e9.docx", "docx"),
        ("%FF%FE.txt", "text"),
    ],
)
def test_the_suffix_decides_in_any_case(uri: str, name: str) -> None:
    found = format_of(uri)
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "uri", ["a.zip", "Makefile", "a.", "", "folder.md/program", ".md", "dir/.txt", "a.md~"]
)
def test_other_files_have_no_format(uri: str) -> None:
    assert format_of(uri) is None


@pytest.mark.parametrize(
    ("uri", "told", "suffix"),
    [
        ("docs/v1.2/intro", "text/html", ".html"),
        ("docs/v1.2", "text/html; charset=utf-8", ".html"),
        ("a", " Text/HTML ;charset=x;q=1", ".html"),
        ("a", "application/xhtml+xml", ".html"),
        ("a", "text/markdown", ".md"),
        ("a", ".MD", ".md"),
        ("a.html", "text/markdown", ".md"),
        ("a.md", "video/mp4", "video/mp4"),
        ("a.md", "application/octet-stream", ".md"),
        ("a.md", "", ""),
        ("docs/v1.2", None, ".2"),
        ("a.MD", None, ".md"),
        ("intro", None, ""),
    ],
)
def test_a_source_says_the_format_of_a_document_or_its_suffix_does(
    uri: str, told: str | None, suffix: str
) -> None:
    assert formats.of(Entry(uri, None, None, None, None, format=told)) == suffix


def test_every_content_type_that_we_give_is_one_that_we_take() -> None:
    for format in formats.BY_NAME.values():
        suffix = formats.of(Entry("a", None, None, None, None, format=format.content_type))
        assert formats.BY_SUFFIX[suffix] is format
    assert set(formats._ALIASES.values()) <= formats.BY_SUFFIX.keys()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (".exe", "Files of type .exe cannot be parsed."),
        ("video/mp4", "Documents of type video/mp4 cannot be parsed."),
        ("video/\x1b[2Jmp4", "Documents of type video/ [2Jmp4 cannot be parsed."),
        ("", "It has no type."),
        (".", "It has no type."),
    ],
)
def test_a_format_that_is_not_supported_is_named(told: str, said: str) -> None:
    assert formats.why_unsupported(told) == said


def test_fingerprints_by_suffix_are_those_of_the_formats() -> None:
    table = fingerprints("chunker 1")
    for uri in ("a.md", "b/c.PDF", "x.jpeg"):
        found = format_of(uri)
        assert found is not None
        assert table[suffix_of(uri)] == fingerprint(found, chunking="chunker 1")
    assert table[".md"] == table[".markdown"]
    assert table[".md"] != table[".txt"]


def test_another_chunker_changes_every_fingerprint() -> None:
    one, two = fingerprints("chunker 1"), fingerprints("chunker 2")
    assert all(one[suffix] != two[suffix] for suffix in one)


def test_an_upgrade_concerns_only_the_formats_that_use_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints("c")
    genuine = formats._version
    monkeypatch.setattr(
        formats, "_version", lambda package: "99" if package == "pypandoc_binary" else genuine(package)
    )
    after = fingerprints("c")
    assert {suffix for suffix in before if before[suffix] != after[suffix]} == {
        ".epub",
        ".rst",
        ".org",
    }


def test_a_program_that_appears_concerns_only_the_formats_that_need_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(formats, "_installed", lambda program: False)
    without = fingerprints("c")
    assert set(formats.missing_programs()) == {"tesseract", "soffice"}
    monkeypatch.setattr(formats, "_installed", lambda program: program == "soffice")
    changed = fingerprints("c")
    assert {suffix for suffix in without if without[suffix] != changed[suffix]} == {".doc", ".ppt"}
    assert ".pdf" in formats.missing_programs()["tesseract"]
    assert "soffice" not in formats.missing_programs()


def test_the_spacy_model_concerns_only_what_is_classified(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprints("c")
    monkeypatch.setattr("index.parse.nlp.in_use", lambda: "en_core_web_sm 3.8.0")
    after = fingerprints("c")
    changed = {suffix for suffix in before if before[suffix] != after[suffix]}
    assert {".pdf", ".docx", ".doc"} <= changed
    assert not changed & {".md", ".html", ".txt", ".csv"}


def test_the_parents_side_imports_nothing_heavy() -> None:
    check = (
        "import sys; from index.parse import Parser, fingerprints\n"
        "fingerprints('c'); Parser(timeout_seconds=1)\n"
        "heavy = {'unstructured', 'spacy', 'numpy', 'lxml', 'pypdfium2', 'docx', 'yaml', 'langdetect'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
