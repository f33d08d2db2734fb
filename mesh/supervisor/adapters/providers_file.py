"""Reads which environment variables hold provider keys from the router's configuration."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import yaml

_KEY = "api_key_env"
_KEYS = "api_key_envs"


def provider_key_names(path: Path) -> frozenset[str]:
    """Return the values of every `api_key_env` and `api_key_envs` in the file.

    A file that is missing or malformed names none: saying what is wrong with it, with line and reason, is the router's
    work, and the mesh serves without it.
    """
    try:
        document: object = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return frozenset()
    return frozenset(_names(document))


def _names(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for key, value in node.items():  # pyright: ignore[reportUnknownVariableType]
            if key == _KEY and isinstance(value, str):
                yield value
            elif key == _KEYS and isinstance(value, list):
                yield from (name for name in value if isinstance(name, str))  # pyright: ignore[reportUnknownVariableType]
            else:
                yield from _names(value)  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(node, list):
        for item in node:  # pyright: ignore[reportUnknownVariableType]
            yield from _names(item)  # pyright: ignore[reportUnknownArgumentType]
