"""Replaces a contract of an organisation."""

from __future__ import annotations

from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.registry_change import Change, Changed
from provider_router.ports.service_registry import ServiceRegistry


class UpdateContract:
    """Puts a newer version of a registered contract in force."""

    def __init__(self, registry: ServiceRegistry) -> None:
        self._registry = registry

    async def __call__(self, contract: Contract, request_id: str) -> Changed:
        """Replaces the version `contract.version`, once for each request id; returns the contract as it is now.

        Raises:
            NexusError: As `ServiceRegistry.update`.
        """
        made = await self._registry.update(Change(contract, request_id))
        return Changed(made, self._registry.current(made.org_id).version)
