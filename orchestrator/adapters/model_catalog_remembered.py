"""A model catalog that asks at most once a second."""

from __future__ import annotations

from orchestrator.adapters.remembered import Remembered
from orchestrator.domain.chat import Catalogue
from orchestrator.ports.model_catalog import ModelCatalog
from shared.clock import Clock


class RememberedModelCatalog:
    """Decorates a `ModelCatalog`."""

    def __init__(self, catalog: ModelCatalog, clock: Clock) -> None:
        self._value = Remembered(catalog.catalogue, clock)

    async def catalogue(self, *, anew: bool = False) -> Catalogue:
        """See `ModelCatalog.catalogue`."""
        return await self._value.get(anew=anew)
