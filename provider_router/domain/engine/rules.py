"""Step 3, rules: chain, policies and requirements take services away; preferences move them.

Policies themselves are evaluated elsewhere (`domain/rulebook/policy.py`); here is only what they said.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase

from provider_router.domain.contracts.contract import PPM, Contract
from provider_router.domain.decisions.decision import Rejected, Rejection, Step
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.engine.traits import same_value
from provider_router.domain.rulebook.policy import COMPLEXITY_STEP_PPM, PolicyQuestion, Refusal, question_of
from provider_router.domain.rulebook.rules import Preference, Requirement, RuleSet, Services, When


@dataclass(frozen=True, slots=True, eq=False)
class ApplyingRules:
    """The rules that hold for a class of requests.

    Attributes:
        rules: Of which these are some.
        requirements: Highest priority first, then by id.
        preferences: In the order of the rules.
        question: To ask of the policies; None when there are none.
    """

    rules: RuleSet
    requirements: tuple[Requirement, ...]
    preferences: tuple[Preference, ...]
    question: PolicyQuestion | None


class RuleIndex:
    """What can be said of a rule set without a request.

    Args:
        rules: The rule set.
    """

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        whens = [rule.when for rule in (*rules.requirements, *rules.preferences)]
        reads = rules.policy_reads if rules.has_policies else frozenset[str]()
        self._reads_roles = "roles" in reads or any(when.roles for when in whens)
        self._reads_user = "user" in reads
        # Between two neighbouring bounds, complexity changes nothing.
        bounds = {bound for when in whens for bound in (when.min_complexity_ppm, when.max_complexity_ppm + 1)}
        if "complexity" in reads:
            bounds.update(range(0, PPM + 1, COMPLEXITY_STEP_PPM))
        self._bounds = sorted(bounds)

    def class_of(self, request: RouteRequest, tier: str) -> Hashable:
        """Requests of one class have the same applying rules, on one day."""
        estimate, caller = request.estimate, request.caller
        return (
            caller.org_id,
            tier,
            estimate.task_class,
            bisect_right(self._bounds, estimate.complexity_ppm) if self._bounds else 0,
            request.data_class,
            request.needs_tools,
            request.operation,
            caller.roles if self._reads_roles else (),
            caller.user_id if self._reads_user else "",
        )

    def applying(self, request: RouteRequest, tier: str, day: date) -> ApplyingRules:
        """The rules that hold for `request`."""
        rules = self._rules
        requirements = [rule for rule in rules.requirements if holds(rule.when, request, tier)]
        requirements.sort(key=lambda rule: (-rule.priority, rule.id))
        preferences = tuple(rule for rule in rules.preferences if holds(rule.when, request, tier))
        question = question_of(request, tier, day, rules.policy_reads) if rules.has_policies else None
        return ApplyingRules(rules, tuple(requirements), preferences, question)


def holds(when: When, request: RouteRequest, tier: str) -> bool:
    """Whether every condition that is set in `when` holds for `request`, which is decided by `tier`."""
    estimate = request.estimate
    return (
        (not when.tiers or tier in when.tiers)
        and (not when.task_classes or estimate.task_class in when.task_classes)
        and (not when.data_classes or request.data_class in when.data_classes)
        and (not when.roles or not when.roles.isdisjoint(request.caller.roles))
        and when.min_complexity_ppm <= estimate.complexity_ppm <= when.max_complexity_ppm
        and (when.needs_tools is None or when.needs_tools is request.needs_tools)
    )


def selects(services: Services, contract: Contract) -> bool:
    """Whether every condition that is set in `services` holds for `contract`."""
    return (
        (not services.names or any(fnmatchcase(contract.name, pattern) for pattern in services.names))
        and (not services.tags or not services.tags.isdisjoint(contract.tags))
        and all(
            name in contract.traits and same_value(contract.traits[name], value)
            for name, value in services.traits.items()
        )
        and (services.on_premises is None or services.on_premises is contract.privacy.on_premises)
        and (services.demonstration is None or services.demonstration is contract.demonstration)
    )


def ruled_out(
    contract: Contract, chain: tuple[str, ...], refused: Mapping[str, Refusal], applying: ApplyingRules
) -> Rejection | None:
    """Why the rules take `contract` away: the chain first, then policies, then requirements; None when they do not."""
    if chain and contract.name not in chain:
        return Rejection(contract.name, Step.RULES, Rejected.NOT_IN_CHAIN)
    refusal = refused.get(contract.name)
    if refusal is not None:
        return Rejection(contract.name, Step.RULES, refusal.reason, refusal.detail)
    for requirement in applying.requirements:
        if not selects(requirement.services, contract):
            return Rejection(contract.name, Step.RULES, Rejected.REQUIRED_BY_RULE, requirement.id)
    return None


def preference_ppm(contract: Contract, preferences: tuple[Preference, ...]) -> int:
    """The sum of the preferences that select `contract`, between -1_000_000 and 1_000_000."""
    total = sum(rule.strength_ppm for rule in preferences if selects(rule.services, contract))
    return max(-PPM, min(PPM, total))
