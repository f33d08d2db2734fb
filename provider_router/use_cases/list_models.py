"""Lists the configured models."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.configuration.troubles import Troubles
from provider_router.domain.contracts.contract import Price
from provider_router.domain.contracts.service import Service
from provider_router.domain.money.pricing import costs_nothing
from provider_router.ports.model_source import ModelSource
from provider_router.ports.service_registry import ServiceRegistry
from provider_router.use_cases.find_troubles import FindTroubles
from shared.clock import Clock


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model.

    Attributes:
        service: It.
        price: That holds today; None without one.
        configured: Whether the key that its provider needs is there.
        price_unknown: Whether nobody says what it costs.
    """

    service: Service
    price: Price | None
    configured: bool
    price_unknown: bool

    @property
    def is_free(self) -> bool:
        """Whether it is known to cost nothing."""
        return not self.price_unknown and (self.price is None or costs_nothing(self.price))


@dataclass(frozen=True, slots=True)
class ListedModels:
    """All models, the chat chain first, in its order, then the others by name; that chain; why there are no more."""

    models: tuple[ListedModel, ...]
    chat_chain: tuple[str, ...]
    troubles: Troubles


class ListModels:
    """Lists the models of the registry in force."""

    def __init__(self, registry: ServiceRegistry, troubles: FindTroubles, models: ModelSource, clock: Clock) -> None:
        self._registry = registry
        self._troubles = troubles
        self._models = models
        self._clock = clock

    def __call__(self, org_id: str) -> ListedModels:
        """The models that `org_id` may use."""
        today, snapshot = self._clock.now().date(), self._registry.current(org_id)
        configured = {name: self._models.is_configured(provider) for name, provider in snapshot.providers.items()}
        models = tuple(
            ListedModel(
                service,
                service.contract.price_on(today),
                configured.get(service.provider.name, False),
                service.contract.price_is_unknown_on(today),
            )
            for service in snapshot.listed()
        )
        return ListedModels(models, snapshot.chat_chain, self._troubles(org_id))
