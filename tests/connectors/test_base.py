from __future__ import annotations

import doctest
import subprocess
import sys
import time
from pathlib import Path

import pathspec
import pytest
from pydantic import ValidationError

from connectors import errors
from connectors.base import ConnectorSettings, Patterns, UnknownConnector, connector_class
from connectors.files import FilesConnector
from tests.fakes import MemoryConnector

URIS = [
    *("a.md", "docs/a.md", "docs/old/a.md", "x/docs/a.md", "docs", "doc", "archive/a.md", "archive/b/a.md"),
    *(
        "~$a.docx",
        "x/~$a.docx",
        "x/~$dir/a.md",
        "x~$a.docx",
        "a b/c.md",
        "a.mdx",
        "A.MD",
        "x/y/z/b",
        "x/b",
        "b",
    ),
]
PATTERNS = [
    *("**/*", "**", "*", "*.md", "docs/", "docs/**", "/docs", "docs/*", "archive/*", "**/~$*", "*/", "**/"),
    *("?[!x]", "a.m[dx]", "x/**/b", "?.md", "\\*.md", "a b/", "[a-c]*", "docs/old/a.md", "~$*"),
]


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(errors).failed == 0
    assert doctest.testmod(errors).attempted > 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_one_pattern_matches_as_pathspec_says(pattern: str) -> None:
    reference = pathspec.lookup_pattern("gitignore")(pattern)
    for uri in URIS:
        assert Patterns([pattern]).match(uri) == (reference.match_file(uri) is not None), uri


@pytest.mark.parametrize("first", PATTERNS[:12])
@pytest.mark.parametrize("second", PATTERNS)
def test_the_last_matching_pattern_decides(first: str, second: str) -> None:
    basic = [pathspec.lookup_pattern("gitignore")(pattern) for pattern in (first, second)]
    for uri in URIS:
        expected = basic[0].match_file(uri) is not None and basic[1].match_file(uri) is None
        assert Patterns([first, f"!{second}"]).match(uri) == expected, uri
        assert Patterns([f"!{second}", first]).match(uri) == (basic[0].match_file(uri) is not None)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_folder_is_only_pruned_when_everything_below_it_matches(pattern: str) -> None:
    patterns = Patterns([pattern])
    for folder in ("docs", "docs/old", "x", "archive", "archive/b", "a b", "x/~$dir", "a.md", "b"):
        if patterns.match_all_below(folder):
            assert all(patterns.match(f"{folder}/{uri}") for uri in URIS), folder
    assert not Patterns(["docs/", "!keep.md"]).match_all_below("docs")


@pytest.mark.parametrize("pattern", ["docs/", "docs", "docs/**", "**/docs/**", "/docs/", "d*/"])
def test_patterns_for_folders_prune_them(pattern: str) -> None:
    assert Patterns([pattern]).match_all_below("docs")


def test_line_breaks_in_names_do_not_confuse_patterns() -> None:
    assert Patterns(["**/~$*"]).match("a\nb/~$c\n.docx")
    assert Patterns(["*"]).match("\n")
    assert not Patterns(["a.md"]).match("a.md\n")
    assert Patterns(["a/*"]).match("a/b\n")
    assert Patterns(["*.md\n"]).match("a.md")
    assert Patterns(["a\nb/"]).match("a\nb/c")
    assert Patterns(["a*/"]).match_all_below("a\nb")


def test_a_pattern_that_fails_is_fast() -> None:
    patterns = Patterns(["**/~$*", "*.tmp", "node_modules/"])
    uri = "some/rather/deep/folder/" * 10 + "document.md"
    started = time.perf_counter()
    for _ in range(10_000):
        patterns.match(uri)
    assert time.perf_counter() - started < 0.5


@pytest.mark.parametrize("pattern", ["", "# comment", "a\\"])
def test_what_is_no_pattern_is_refused_with_the_key(pattern: str) -> None:
    with pytest.raises(ValidationError, match="exclude"):
        ConnectorSettings.model_validate({"exclude": [pattern]})


def test_the_place_is_named_by_keys_that_there_are() -> None:
    for settings in (ConnectorSettings, FilesConnector.settings_model):
        assert settings.place <= settings.model_fields.keys() - {"include", "exclude"}
    assert FilesConnector.settings_model.place == {"root"}


def test_the_files_connector_is_built_in() -> None:
    assert connector_class("files") is FilesConnector


def test_an_installed_plug_in_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "acme_memory-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-memory\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[freshkb.connectors]\nmemory = tests.fakes:MemoryConnector\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert connector_class("memory") is MemoryConnector
    with pytest.raises(UnknownConnector, match=r"'wiki'.*installed are: .*files, .*memory"):
        connector_class("wiki")


def test_a_connector_costs_no_import_that_it_does_not_need() -> None:
    script = "import sys, connectors, connectors.files; print({'watchdog', 'pathspec'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "set()"
