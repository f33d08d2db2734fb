"""Roles read from a YAML file."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from settings_service.domain.errors import roles_invalid
from settings_service.domain.roles import Role, RoleCatalog


class _RoleEntry(BaseModel):
    model_config = ConfigDict(extra="forbid")
    permissions: list[str]
    includes: list[str] = []


_ENTRIES = TypeAdapter(dict[str, _RoleEntry])


def load_roles(path: Path) -> RoleCatalog:
    """Return the roles in the YAML file at `path`.

    Raises:
        PreconditionFailed: ROLES_INVALID with what is wrong.
    """
    try:
        entries = _ENTRIES.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise roles_invalid(f"{path.name}: {error}") from error
    return RoleCatalog({name: Role(tuple(e.permissions), tuple(e.includes)) for name, e in entries.items()})
