"""Lists the configured providers and how they are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.provider_health import ProviderReport, state_of
from provider_router.ports.deployments import Deployments
from provider_router.ports.rule_book import RuleBook
from provider_router.ports.service_registry import ServiceRegistry


@dataclass(frozen=True, slots=True)
class ProvidersReport:
    """The providers in the configuration's order, which configuration is in force, and why a newer one is not."""

    providers: tuple[ProviderReport, ...]
    config_version: str
    config_error: str


class ListProviders:
    """Reports what is configured and what was seen; calls nobody."""

    def __init__(self, registry: ServiceRegistry, rules: RuleBook, deployments: Deployments) -> None:
        self._registry = registry
        self._rules = rules
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
        errors = [error for error in (snapshot.config_error, self._rules.error(org_id)) if error]
        return ProvidersReport(tuple(reports), snapshot.config_version, "; ".join(errors))
