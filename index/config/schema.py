"""JSON Schema of ``freshkb.yaml``, the connectors' settings included."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from connectors.base import connector_class
from index.config.block import keys_of
from index.config.blocks import Settings
from index.config.keys import connector_types, documented
from index.config.messages import block_of


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12. A source is one of the installed connectors' blocks, discriminated by `type`."""
    found = _schema_of(Settings)
    definitions = found["$defs"]
    common = definitions.pop("Source")
    types = connector_types()
    for type_name in types:
        own = _schema_of(connector_class(type_name).settings_model)
        definitions.update(own.pop("$defs", {}))
        definitions[f"Source_{type_name}"] = {
            **common,
            "title": f"Source of type {type_name}",
            "description": f"The keys of every source, and those of the connector {type_name}.",
            "properties": {
                **common["properties"],
                "type": {**common["properties"]["type"], "const": type_name},
                **own.get("properties", {}),
            },
            "required": [*common["required"], *own.get("required", [])],
        }
    found["properties"]["sources"]["items"] = {
        "oneOf": [{"$ref": f"#/$defs/Source_{name}"} for name in types]
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "freshkb.yaml"}


def _schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """pydantic's, with the text below each key as its description.

    pydantic would read these texts itself (`use_attribute_docstrings`), but at every start, in a second.
    """
    found = model.model_json_schema()
    blocks = {model.__name__: found, **found.get("$defs", {})}
    for block in _blocks(model):
        properties = blocks.get(block.__name__, {}).get("properties", {})
        written = {name: key for key, name in zip(keys_of(block), block.model_fields, strict=True)}
        for name, text in documented(block).items():
            if (key := written.get(name, name)) in properties:
                properties[key].setdefault("description", text)
    return found


def _blocks(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The model and every one inside it."""
    yield model
    for about in model.model_fields.values():
        if (block := block_of(about.annotation)) is not None:
            yield from _blocks(block)
