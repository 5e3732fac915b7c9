"""The types of sources, and the keys of each: what a person is asked, and how the answer is read."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel

from connectors.base import BUILT_IN, ENTRY_POINT_GROUP, ConnectorSettings, connector_class
from index.config.block import keys_of
from index.config.blocks import Source
from index.config.messages import block_of, is_secret_type
from index.config.text import UnreadableFile, read
from index.redact import secret_name

KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Key:
    """A key of a source block; one below another has the path of both."""

    path: KeyPath
    about: str
    """Its description, on one line; "" when there is none."""
    required: bool
    secret: bool
    kind: Literal["value", "list", "mapping"] = "value"
    """A list or a mapping is one that takes nothing else; its mapping's keys are not known here."""

    def __str__(self) -> str:
        return ".".join(self.path)


def connector_types() -> list[str]:
    """The types of the installed connectors, sorted."""
    from importlib.metadata import entry_points

    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})


def about(type_name: str) -> str:
    """The first sentence of a connector's description. Raises UnknownConnector."""
    text = inspect.cleandoc(connector_class(type_name).__doc__ or "").partition("\n\n")[0]
    return " ".join(text.split()).partition(". ")[0].rstrip(".")


def keys(type_name: str) -> list[Key]:
    """The keys that a connector of this type adds to those of every source, those of blocks that have to be
    there one by one. Raises UnknownConnector."""
    model = connector_class(type_name).settings_model
    common = set(ConnectorSettings.model_fields)
    own = (key for key in _keys(model, ()) if key.path[0] not in common)
    return [replace(key, kind=_kind(_kinds(type_name, key.path))) for key in own]


def _kind(kinds: set[str]) -> Literal["value", "list", "mapping"]:
    if "string" in kinds:
        return "value"
    return "list" if "array" in kinds else "mapping" if "object" in kinds else "value"


def _keys(model: type[BaseModel], above: KeyPath) -> Iterator[Key]:
    texts = documented(model)
    for name, (written, field) in zip(model.model_fields, keys_of(model).items(), strict=True):
        path = (*above, written)
        below = block_of(field.annotation)
        if below is not None and field.is_required():
            yield from _keys(below, path)
        else:
            secret = is_secret_type(field.annotation) or (
                field.annotation in (str, str | None) and secret_name(written)
            )
            yield Key(path, texts.get(name, ""), field.is_required(), secret)


def value_of(type_name: str, path: KeyPath, text: str) -> Any:
    """What a file would hold under this key for an answer or an option: text where the key takes text, a list
    of one where it takes lists alone, else what YAML makes of it. Raises ValueError when that is none."""
    kinds = _kinds(type_name, path)
    lists = {"array", "object", ""} & kinds and text.startswith(("[", "{"))
    if not lists and "string" in kinds:
        return text
    if not lists and "array" in kinds:
        return [text]
    try:
        found = read(text, None).value
    except UnreadableFile as error:
        raise ValueError(f"is {error}") from error
    return found if isinstance(found, bool | int | float | list | dict) else text


def many(type_name: str, path: KeyPath) -> bool:
    """Whether the key takes a list, and no single text."""
    return _kind(_kinds(type_name, path)) == "list"


def _kinds(type_name: str, path: KeyPath) -> set[str]:
    """JSON's types of the values that a key takes; "" where its model does not say."""
    model = connector_class(type_name).settings_model
    whole = (model if path[0] in keys_of(model) else Source).model_json_schema()
    block: Mapping[str, Any] = whole
    for part in path:
        choices = list(_choices(block, whole))
        block = next((c["properties"][part] for c in choices if part in c.get("properties", {})), {})
    return {str(kind) for choice in _choices(block, whole) for kind in _types(choice)}


def _types(choice: Mapping[str, Any]) -> list[str]:
    found = choice.get("type", "")
    return found if isinstance(found, list) else [found]


def _choices(block: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if "$ref" in block:
        yield from _choices(whole["$defs"][block["$ref"].rpartition("/")[2]], whole)
    parts = [part for name in ("anyOf", "oneOf", "allOf") for part in block.get(name, ())]
    for part in parts:
        yield from _choices(part, whole)
    if "$ref" not in block and not parts:
        yield block


def documented(model: type[BaseModel]) -> dict[str, str]:
    """The texts below the keys of a model and of those that it extends; none without its source."""
    found: dict[str, str] = {}
    for block in reversed(model.__mro__):
        if not issubclass(block, BaseModel) or block is BaseModel:
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(block)))
        except (OSError, TypeError):
            continue
        body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
        for key, below in pairwise(body):
            match key, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ):
                    found[name] = " ".join(text.split())
    return found
