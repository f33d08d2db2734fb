"""Which roles a role includes, for policies that speak of roles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.errors import PreconditionFailed

Includes = Mapping[str, tuple[str, ...]]


class _RoleEntry(BaseModel):
    includes: tuple[str, ...] = ()


_ENTRIES = TypeAdapter(dict[str, _RoleEntry])


def load_includes(path: Path) -> Includes:
    """Return the roles that each role in the YAML file at `path` includes. What they permit is read elsewhere.

    Raises:
        PreconditionFailed: ROLES_INVALID with what is wrong.
    """
    try:
        entries = _ENTRIES.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise PreconditionFailed("ROLES_INVALID", f"The roles {path.name} cannot be used: {error}.") from error
    return {name: entry.includes for name, entry in entries.items()}


def held(roles: Iterable[str], includes: Includes) -> frozenset[str]:
    """Return `roles` and all that they include, near or far."""
    found: set[str] = set()
    left = list(roles)
    while left:
        role = left.pop()
        if role not in found:
            found.add(role)
            left += includes.get(role, ())
    return frozenset(found)
