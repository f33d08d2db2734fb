"""The principal: on whose behalf something happens."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller: an organisation's user, or a service of the mesh acting for itself.

    `permissions` are `<resource>.<verb>`, `<resource>.*` or `*`, as the roles gave them when the caller was
    authenticated. `key_id` names the API key with which that was done, and is never the key; it is empty for services.
    """

    org_id: str
    user_id: str
    roles: frozenset[str]
    permissions: frozenset[str]
    key_id: str = ""

    def may(self, permission: str) -> bool:
        """Return whether `permission`, `<resource>.<verb>`, is held."""
        resource = permission.partition(".")[0]
        return not self.permissions.isdisjoint((permission, f"{resource}.*", "*"))


SERVICE_ORG = "nexus"
"""Organisation of the mesh's own services. No row of a tenant carries it."""


def service_principal(name: str) -> Principal:
    """Return the principal of the service `name` when it acts for nobody else."""
    return Principal(SERVICE_ORG, f"service:{name}", frozenset({"service"}), frozenset({"identity.authenticate"}))


def settings_reader(name: str, org_id: str) -> Principal:
    """Return the principal with which the service `name` reads the settings of `org_id`.

    What a service needs to know to serve a caller does not depend on what that caller may read.
    """
    return Principal(org_id, f"service:{name}", frozenset({"service"}), frozenset({"settings.read"}))


def process_runner(name: str, org_id: str) -> Principal:
    """Return the principal with which the service `name` runs long-lived programs of `org_id` in the sandbox.

    Which programs those are was decided by an owner, who registered them; they run when nobody is there.
    """
    return Principal(org_id, f"service:{name}", frozenset({"service"}), frozenset({"sandbox.processes"}))
