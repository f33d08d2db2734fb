"""The problems of all watched files."""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.adapters.limit_book_yaml import YamlLimitBook
from provider_router.adapters.rule_book_yaml import YamlRuleBook
from provider_router.adapters.service_registry_sqlite import SqliteServiceRegistry
from provider_router.domain.configuration.problem import ConfigurationProblem


class WatchedProblems:
    """Implements `ConfigurationProblems`: each asks whoever puts the files in force, so none is gone before it is."""

    def __init__(self, registry: SqliteServiceRegistry, rules: YamlRuleBook, limits: YamlLimitBook) -> None:
        self._registry = registry
        self._rules = rules
        self._limits = limits

    def of(self, org_id: str, *, of_all: bool) -> Sequence[ConfigurationProblem]:
        """See `ConfigurationProblems.of`."""
        return (*self._registry.problems(), *self._rules.problems(org_id, of_all=of_all), *self._limits.problems())
