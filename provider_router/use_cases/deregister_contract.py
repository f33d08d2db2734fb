"""Removes a contract of an organisation."""

from __future__ import annotations

from provider_router.domain.contracts.registry_change import Removal
from provider_router.ports.service_registry import ServiceRegistry


class DeregisterContract:
    """Takes a registered contract away. Calls in flight that chose its service go on."""

    def __init__(self, registry: ServiceRegistry) -> None:
        self._registry = registry

    async def __call__(self, removal: Removal) -> int:
        """Removes the contract, once for each request id; returns the registry's version without it.

        Raises:
            NexusError: As `ServiceRegistry.deregister`.
        """
        await self._registry.deregister(removal)
        return self._registry.current(removal.org_id).version
