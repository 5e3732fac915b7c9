"""JSON Schema of ``freshkb.yaml``, the connectors' settings included."""

from __future__ import annotations

from typing import Any

from connectors.base import BUILT_IN, ENTRY_POINT_GROUP, connector_class
from index.config.settings import Settings


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12. A source is one of the installed connectors' blocks, told apart by `type`."""
    from importlib.metadata import entry_points

    found = Settings.model_json_schema()
    definitions = found["$defs"]
    common = definitions.pop("Source")
    types = sorted({*BUILT_IN, *(point.name for point in entry_points(group=ENTRY_POINT_GROUP))})
    for type_name in types:
        own = connector_class(type_name).settings_model.model_json_schema()
        definitions.update(own.pop("$defs", {}))
        definitions[f"Source_{type_name}"] = {
            **common,
            "title": f"Source of type {type_name}",
            "description": f"The keys of every source, and those of the connector {type_name}.",
            "properties": {**common["properties"], "type": {"const": type_name}, **own.get("properties", {})},
            "required": [*common["required"], *own.get("required", [])],
        }
    found["properties"]["sources"]["items"] = {
        "oneOf": [{"$ref": f"#/$defs/Source_{name}"} for name in types]
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found, "title": "freshkb.yaml"}
