"""Roles and the permissions that they give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from settings_service.domain.errors import roles_invalid


@dataclass(frozen=True, slots=True)
class Role:
    """A role: its own permissions and the roles that it includes."""

    permissions: tuple[str, ...]
    includes: tuple[str, ...] = ()


class RoleCatalog:
    """All roles, resolved once.

    Raises:
        PreconditionFailed: ROLES_INVALID when a role includes an unknown one or itself.
    """

    def __init__(self, roles: Mapping[str, Role]) -> None:
        self._permissions = {name: self._resolve(name, roles, ()) for name in roles}

    def _resolve(self, name: str, roles: Mapping[str, Role], path: tuple[str, ...]) -> frozenset[str]:
        if name in path:
            raise roles_invalid(f"the role {name} includes itself")
        if name not in roles:
            raise roles_invalid(f"{path[-1]} includes the unknown role {name}")
        role = roles[name]
        inherited = (self._resolve(other, roles, (*path, name)) for other in role.includes)
        return frozenset(role.permissions).union(*inherited)

    def permissions(self, roles: Iterable[str]) -> frozenset[str]:
        """Return what `roles` give together; an unknown role gives nothing."""
        return frozenset[str]().union(*(self._permissions.get(role, frozenset()) for role in roles))
