"""Lists the configured providers and how they are."""

from __future__ import annotations

from dataclasses import dataclass

from provider_router.domain.provider_health import ProviderReport, state_of
from provider_router.ports.model_source import ModelSource
from provider_router.ports.provider_catalog import ProviderCatalog
from provider_router.ports.provider_observations import ProviderObservations


@dataclass(frozen=True, slots=True)
class ProvidersReport:
    """The providers in the configuration's order, and which configuration is in force."""

    providers: tuple[ProviderReport, ...]
    config_version: str
    config_error: str


class ListProviders:
    """Reports what is configured and what was seen; calls nobody."""

    def __init__(self, catalog: ProviderCatalog, models: ModelSource, observations: ProviderObservations) -> None:
        self._catalog = catalog
        self._models = models
        self._observations = observations

    def __call__(self) -> ProvidersReport:
        """The report."""
        snapshot = self._catalog.current()
        reports: list[ProviderReport] = []
        for provider in snapshot.catalog.providers.values():
            seen = self._observations.last(provider.name)
            state = state_of(seen, configured=self._models.is_configured(provider))
            names = [name for name, model in snapshot.catalog.models.items() if model.provider == provider]
            reports.append(ProviderReport(provider, state, seen, tuple(names)))
        return ProvidersReport(tuple(reports), snapshot.version, snapshot.error)
