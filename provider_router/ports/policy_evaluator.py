"""Who evaluates policies."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.rulebook.policy import PolicyQuestion, Refusal
from provider_router.domain.rulebook.rules import RuleSet


class PolicyEvaluator(Protocol):
    """Pure: the same arguments give the same answer, for rules that were read from a file and from a record alike."""

    def verdicts(self, registry: RegistrySnapshot, rules: RuleSet, question: PolicyQuestion) -> Mapping[str, Refusal]:
        """The services that the policies of `rules` refuse to a class of requests, by name.

        Never raises for rules that were loaded: what cannot be evaluated is refused.
        """
        ...
