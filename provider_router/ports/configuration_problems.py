"""What is wrong in the configuration at the moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provider_router.domain.configuration.problem import ConfigurationProblem


class ConfigurationProblems(Protocol):
    """Knows the problems of every file that is watched: providers, contracts, rules, limits."""

    def of(self, org_id: str, *, of_all: bool) -> Sequence[ConfigurationProblem]:
        """The problems that there are now, in the order of those files; empty when all of them are in force.

        Never raises, never blocks. The rules of another organisation than `org_id` are one problem of the folder,
        without a line or a name, unless `of_all`.
        """
        ...
