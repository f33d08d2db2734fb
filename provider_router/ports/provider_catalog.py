"""Where the configured providers come from."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.catalog import CatalogSnapshot


class ProviderCatalog(Protocol):
    """Knows the configuration in force."""

    def current(self) -> CatalogSnapshot:
        """The snapshot in force. It never changes; a newer configuration is another snapshot. Never raises."""
        ...
