"""Lists the configured providers and how they are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from provider_router.domain.configuration.troubles import Troubles
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.provider_health import ProviderReport, state_of
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

    def __call__(self, org_id: str) -> ProvidersReport:
        """The report; models are those that `org_id` may use."""
        snapshot = self._registry.current(org_id)
        statuses: defaultdict[str, list[DeploymentStatus]] = defaultdict(list)
        for status in self._deployments.statuses(snapshot):
            statuses[status.service.partition("/")[0]].append(status)
        names: defaultdict[str, list[str]] = defaultdict(list)
        for name, service in snapshot.services.items():
            names[service.provider.name].append(name)
        reports = [
            ProviderReport(provider, state_of(statuses[name]), tuple(names[name]), tuple(statuses[name]))
            for name, provider in snapshot.providers.items()
        ]
        return ProvidersReport(tuple(reports), snapshot.config_version, self._troubles(org_id))
