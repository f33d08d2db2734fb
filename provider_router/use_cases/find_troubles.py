"""Finds what keeps things that were configured or registered from being used."""

from __future__ import annotations

from provider_router.domain.configuration.troubles import Troubles, unusable_in
from provider_router.ports.configuration_problems import ConfigurationProblems
from provider_router.ports.model_source import ModelSource
from provider_router.ports.service_registry import ServiceRegistry


class FindTroubles:
    """The one source of it: for the command line, the doctor, and the runs that find no model. Calls nobody."""

    def __init__(self, registry: ServiceRegistry, problems: ConfigurationProblems, models: ModelSource) -> None:
        self._registry = registry
        self._problems = problems
        self._models = models

    def __call__(self, org_id: str) -> Troubles:
        """The troubles that `org_id` has."""
        unusable = unusable_in(self._registry.current(org_id), self._models.is_configured)
        return Troubles(tuple(self._problems.of(org_id)), unusable)
