"""Messages about a configuration are in our words, whatever value stands in whatever place."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from index.config import load
from index.errors import ConfigError
from tests import forks
from tests.commands import environment, process
from tests.index.config.test_config import EXAMPLE
from tests.knowledge import DUMPER

#: Words that only a library uses: its types, its way to count, and "input".
LIBRARY = re.compile(
    r"\b(?:valid|validation|input|string|integer|boolean|tuple|instance|pattern|parse|items after|"
    r"BaseModel|dict|pydantic|errors\.)\b|https://errors",
    re.IGNORECASE,
)
SECRET = "canary-2957"
#: One of each kind, and in the long form more of them.
VALUES: list[Any] = [
    *(None, True, 0, -1, 1.5, float("inf"), date(2026, 1, 1), "", "é", "a" * 300, "90d", SECRET),
    *([], [1], {}, {"count": 1, "period": "day"}),
]
MORE: list[Any] = [
    *(False, 3, 10**30, "  ", "x", "x y", "exempt"),
    *(["x"], [None], [[]], {"a": 1}, {"count": 0}),
]


def places(block: Any, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    for key, value in (
        block.items() if isinstance(block, dict) else enumerate(block) if isinstance(block, list) else ()
    ):
        yield from places(value, (*at, key))


def changed(block: Any, at: tuple[str | int, ...], value: Any) -> Any:
    """A copy with another value at this place."""
    if not at:
        return value
    found = copy.deepcopy(block)
    inner = found
    for key in at[:-1]:
        inner = inner[key]
    inner[at[-1]] = value
    return found


def written() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(EXAMPLE)
    document["index"]["api_key"] = "key"
    document["sources"][0]["url"] = "https://wiki.example.org/{path}"
    return document


@pytest.mark.parametrize("value", [*VALUES, *MORE], ids=repr)
def test_no_message_is_the_librarys(tmp_path: Path, value: Any, soak: bool) -> None:
    if not soak and any(value is each for each in MORE):
        pytest.skip("Only with --soak.")
    document, file = written(), tmp_path / "freshkb.yaml"
    for at in places(document):
        text = yaml.dump(changed(document, at, value), Dumper=DUMPER, allow_unicode=True)
        file.write_text(text, encoding="utf-8")
        try:
            load(file, {}, tmp_path)
        except ConfigError as error:
            *lines, _ = str(error).splitlines()
            for line in lines:
                assert re.match(r"freshkb\.yaml:\d+: ", line), line
                said = re.sub(r"'[^']*'", "", line.partition(": ")[2])
                assert not LIBRARY.search(said), line
            assert at[-1:] != ("api_key",) or SECRET not in str(error)


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (("state_dir",), 2026, "state_dir: 2026 should be text; put it in quotes"),
        (("sources", 0, "hidden"), "maybe", "sources[0].hidden: 'maybe' should be true or false"),
        (("sources", 0, "hidden"), 3, "sources[0].hidden: 3 should be true or false"),
        (("version",), False, "version: false should be 1"),
        (("defaults", "delete", "max_count"), 1.5, "defaults.delete.max_count: 1.5 should be a whole number"),
        (("defaults", "delete", "max_fraction"), -1, "defaults.delete.max_fraction: -1 should be 0 or more"),
        (("defaults", "freshness"), "90d", "'90d' should be exempt, or a block of keys, such as {warn_after"),
        (("sources",), [], "sources: should have at least 1 item"),
        (("state_dir",), " ", "state_dir: ' ' should not be empty"),
        (("index", "api_key"), 7, "index.api_key: *** should be text; put it in quotes"),
    ],
)
def test_a_message_names_value_and_what_should_be_there(
    tmp_path: Path, at: tuple[str | int, ...], value: Any, said: str
) -> None:
    file = tmp_path / "freshkb.yaml"
    file.write_text(yaml.safe_dump(changed(written(), at, value)), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, {}, tmp_path)
    assert said in str(caught.value)


def keys(node: Any, at: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that the schema describes, at any depth."""
    if isinstance(node, dict):
        properties = node.get("properties")
        for name, about in properties.items() if isinstance(properties, dict) else ():
            yield f"{at}.{name}", about
        for name, inner in node.items():
            yield from keys(inner, f"{at}.{name}")
    elif isinstance(node, list):
        for inner in node:
            yield from keys(inner, at)


def test_an_editor_has_something_to_show_of_every_key() -> None:
    # In a process of its own: connectors that other tests register have keys, too.
    shown = forks.run(
        process("config", "schema"), env=environment(), capture_output=True, text=True, check=True
    )
    found = dict(keys(json.loads(shown.stdout)))
    assert len(found) > 40
    silent = [name for name, about in found.items() if len(about.get("description", "")) < 10]
    assert silent == []
