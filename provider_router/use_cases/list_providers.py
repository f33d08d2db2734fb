"""Lists the configured providers and how they are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from provider_router.domain.configuration.troubles import Troubles
from provider_router.domain.traffic.provider_health import ProviderReport, by_provider, state_of
from provider_router.ports.deployments import Deployments
from provider_router.ports.service_registry import ServiceRegistry
from provider_router.use_cases.find_troubles import FindTroubles


@dataclass(frozen=True, slots=True)
class ProvidersReport:
    """The providers in the configuration's order, which configuration is in force, and what is not."""

    providers: tuple[ProviderReport, ...]
    config_version: str
    troubles: Troubles


class ListProviders:
    """Reports what is configured and what was seen; calls nobody."""

    def __init__(self, registry: ServiceRegistry, troubles: FindTroubles, deployments: Deployments) -> None:
        self._registry = registry
        self._troubles = troubles
        self._deployments = deployments

    def __call__(self, org_id: str, *, of_all: bool = False) -> ProvidersReport:
        """The report; models are those that `org_id` may use. `of_all` is for who may read all organisations' files."""
        snapshot = self._registry.current(org_id)
        statuses = by_provider(self._deployments.statuses(snapshot))
        names: defaultdict[str, list[str]] = defaultdict(list)
        for name, service in snapshot.services.items():
            names[service.provider.name].append(name)
        reports = [
            ProviderReport(provider, state_of(seen), tuple(names[name]), tuple(seen))
            for name, provider in snapshot.providers.items()
            for seen in (statuses.get(name, ()),)
        ]
        return ProvidersReport(tuple(reports), snapshot.config_version, self._troubles(org_id, of_all=of_all))
