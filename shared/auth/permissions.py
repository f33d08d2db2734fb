"""Which permission each RPC needs, read from the contracts at start-up, and whether a caller has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from google.protobuf.descriptor import ServiceDescriptor

from protos.gen.nexus.options.v1 import options_pb2
from shared.auth.principal import Principal
from shared.errors import Forbidden, Internal


def permissions_of(services: Iterable[ServiceDescriptor]) -> Mapping[str, str]:
    """Return the permission that each RPC declares, by its path `/package.Service/Method`.

    Raises:
        Internal: when an RPC declares none, so that the server does not start.
    """
    permissions: dict[str, str] = {}
    for service in services:
        for method in service.methods:
            permission = method.GetOptions().Extensions[options_pb2.permission]
            if not permission:
                raise Internal("PERMISSION_UNDECLARED", f"{method.full_name} declares no permission.")
            permissions[f"/{service.full_name}/{method.name}"] = permission
    return permissions


def require_permission(principal: Principal, permission: str) -> None:
    """Refuse a caller who does not hold `permission`.

    Raises:
        Forbidden: PERMISSION_DENIED.
    """
    if not principal.may(permission):
        raise Forbidden(
            "PERMISSION_DENIED",
            f"This needs the permission {permission}, which your roles do not give.",
            metadata={"permission": permission},
        )
