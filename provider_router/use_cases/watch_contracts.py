"""Follows the registry."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.ports.service_registry import ServiceRegistry


class WatchContracts:
    """Follows the registry as one organisation sees it."""

    def __init__(self, registry: ServiceRegistry) -> None:
        self._registry = registry

    def __call__(self, org_id: str, after_version: int) -> AsyncGenerator[RegistrySnapshot, None]:
        """Yields the registry if it is newer than `after_version`, then after each change, without end.

        A slow reader gets the newest.
        """
        return self._registry.changes(after_version, org_id)
