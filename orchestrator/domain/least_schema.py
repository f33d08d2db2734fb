"""What a small model has to fill in of a tool's schema: only what is required."""

from __future__ import annotations

import json
from typing import Any, cast


def least_schema(schema_json: str) -> str | None:
    """Return the JSON Schema with its required properties alone, or None when it requires none.

    A small model fills in whatever it may, so it is shown only what it must. A schema of another shape than an object
    with properties is returned as it is.
    """
    try:
        schema = cast("dict[str, Any]", json.loads(schema_json))
        required = cast("list[str]", schema.get("required", []))
        properties = cast("dict[str, Any]", schema.get("properties", {}))
        if not required:
            return None
        least = {name: properties[name] for name in required}
    except (ValueError, RecursionError, KeyError, AttributeError, TypeError):
        return schema_json
    return json.dumps({**schema, "properties": least, "additionalProperties": False}, ensure_ascii=False)
