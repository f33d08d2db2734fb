"""Finds what keeps things that were configured or registered from being used."""

from __future__ import annotations

from provider_router.domain.configuration.troubles import Troubles, unusable_in
from provider_router.domain.traffic.provider_health import by_provider, refuses_key
from provider_router.ports.configuration_problems import ConfigurationProblems
from provider_router.ports.deployments import Deployments
from provider_router.ports.model_source import ModelSource
from provider_router.ports.service_registry import ServiceRegistry


class FindTroubles:
    """The one source of it: for the command line, the doctor, and the runs that find no model. Calls nobody."""

    def __init__(
        self,
        registry: ServiceRegistry,
        problems: ConfigurationProblems,
        models: ModelSource,
        deployments: Deployments,
    ) -> None:
        self._registry = registry
        self._deployments = deployments
        self._problems = problems
        self._models = models

    def __call__(self, org_id: str, *, of_all: bool = False) -> Troubles:
        """The troubles that `org_id` has; `of_all` those of every organisation's files, by name and line."""
        snapshot = self._registry.current(org_id)
        statuses = by_provider(self._deployments.statuses(snapshot))
        refused = [name for name, seen in statuses.items() if refuses_key(seen)]
        unusable = unusable_in(snapshot, self._models.is_configured, refused)
        return Troubles(tuple(self._problems.of(org_id, of_all=of_all)), unusable)
