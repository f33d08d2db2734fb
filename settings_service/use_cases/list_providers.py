"""List the providers."""

from __future__ import annotations

from collections.abc import Sequence

from settings_service.ports.provider_directory import ProviderDirectory, ProviderSummary


class ListProviders:
    """Lists the providers as an administrator sees them."""

    def __init__(self, directory: ProviderDirectory) -> None:
        self._directory = directory

    async def run(self) -> Sequence[ProviderSummary]:
        """Return the providers, in the order of the configuration."""
        return await self._directory.list()
