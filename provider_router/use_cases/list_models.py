"""Lists the configured models."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.contracts.contract import Price
from provider_router.domain.contracts.service import Service
from provider_router.ports.model_source import ModelSource
from provider_router.ports.service_registry import ServiceRegistry
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model, the price that holds today (None without one), and whether the key that its provider needs is there."""

    service: Service
    price: Price | None
    configured: bool


@dataclass(frozen=True, slots=True)
class ListedModels:
    """All models, the chat chain first, in its order, then the others by name; and that chain."""

    models: tuple[ListedModel, ...]
    chat_chain: tuple[str, ...]


class ListModels:
    """Lists the models of the registry in force."""

    def __init__(self, registry: ServiceRegistry, models: ModelSource, clock: Clock) -> None:
        self._registry = registry
        self._models = models
        self._clock = clock

    def __call__(self, org_id: str) -> ListedModels:
        """The models that `org_id` may use."""
        today, snapshot = self._clock.now().date(), self._registry.current(org_id)
        configured = {name: self._models.is_configured(provider) for name, provider in snapshot.providers.items()}
        models = tuple(
            ListedModel(service, service.contract.price_on(today), configured.get(service.provider.name, False))
            for service in snapshot.listed()
        )
        return ListedModels(models, snapshot.chat_chain)
