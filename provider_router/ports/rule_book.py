"""Where routing rules come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.rulebook.rules import RuleSet


class RuleBook(Protocol):
    """Knows the rules in force."""

    def of(self, org_id: str) -> RuleSet:
        """The platform's rules with those of `org_id` over them.

        The same object until one of them changes. Never raises, never blocks.
        """
        ...

    def problems(self, org_id: str = "", *, of_all: bool = False) -> Sequence[ConfigurationProblem]:
        """The files of rules that are not in force as they are now.

        Of files of other organisations than `org_id` it says no more than that there is a wrong one, unless `of_all`.
        """
        ...
