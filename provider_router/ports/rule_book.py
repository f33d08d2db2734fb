"""Where routing rules come from."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.rulebook.rules import RuleSet


class RuleBook(Protocol):
    """Knows the rules in force."""

    def of(self, org_id: str) -> RuleSet:
        """The platform's rules with those of `org_id` over them.

        The same object until one of them changes. Never raises, never blocks.
        """
        ...

    def error(self, org_id: str = "") -> str:
        """Why the newest rules were refused, with file and place; empty when they are in force.

        Of a file of another organisation than `org_id` it says no more than that there is a wrong one.
        """
        ...
