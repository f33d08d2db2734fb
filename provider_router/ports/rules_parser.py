"""Rules that somebody wants to try."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.rulebook.rules import RuleSet


class RulesParser(Protocol):
    """Reads rules that are not in force."""

    def parse(self, text: str) -> RuleSet:
        """The rules in `text`, which has the form of the platform's file, with no organisation's over them.

        Raises:
            InvalidInput: RULES_INVALID, with the line and the reason.
        """
        ...
