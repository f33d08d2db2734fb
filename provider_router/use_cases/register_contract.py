"""Registers a contract of an organisation."""

from __future__ import annotations

from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.registry_change import Change, Changed
from provider_router.ports.service_registry import ServiceRegistry


class RegisterContract:
    """Adds a contract beside those of the operator's files."""

    def __init__(self, registry: ServiceRegistry) -> None:
        self._registry = registry

    async def __call__(self, contract: Contract, request_id: str) -> Changed:
        """Registers `contract` for its organisation, once for each request id; returns it as it is registered.

        Raises:
            NexusError: As `ServiceRegistry.register`.
        """
        made = await self._registry.register(Change(contract, request_id))
        return Changed(made, self._registry.current(made.org_id).version)
