"""Lists the configured models."""

from __future__ import annotations

from provider_router.domain.catalog import ModelSpec
from provider_router.ports.provider_catalog import ProviderCatalog


class ListModels:
    """Lists the models of the configuration in force."""

    def __init__(self, catalog: ProviderCatalog) -> None:
        self._catalog = catalog

    def __call__(self) -> tuple[ModelSpec, ...]:
        """All models: the chat chain first, in its order."""
        return self._catalog.current().catalog.listed()
