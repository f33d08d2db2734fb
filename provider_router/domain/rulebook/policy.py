"""What Cedar policies are asked, and what they answer. Who evaluates them is behind `PolicyVerdicts`.

Policies may read a closed set of features of a request and nothing else. So what they say is the same for a whole class
of requests, is evaluated once for it, and is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeAlias

from provider_router.domain.contracts.contract import PPM, DataClass, Operation
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.decisions.decision import Rejected
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.rulebook.rules import RuleSet

FEATURES = ("user", "roles", "operation", "tier", "data_class", "task_class", "complexity", "needs_tools")
"""What policies may read of a request; `complexity` in tenths, 0 to 10."""

COMPLEXITY_STEP_PPM = PPM // 10


@dataclass(frozen=True, slots=True)
class PolicyQuestion:
    """A class of requests, as policies see it. What they do not read is left at its default.

    Attributes:
        day: UTC; prices are those of this day.
        org_id: Whose request.
        user_id: Whose request.
        roles: Of the caller, in order.
        operation: What for.
        tier: That is in force for the request.
        data_class: How sensitive its data is.
        task_class: As estimated.
        complexity: As estimated, in tenths: 0 to 10.
        needs_tools: Whether it offers tools.
    """

    day: date
    org_id: str
    user_id: str = ""
    roles: tuple[str, ...] = ()
    operation: Operation = Operation.CHAT
    tier: str = ""
    data_class: DataClass = DataClass.PUBLIC
    task_class: str = ""
    complexity: int = 0
    needs_tools: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why policies do not let a request go to a service.

    Attributes:
        reason: FORBIDDEN_BY_RULE or NOT_PERMITTED_BY_RULE.
        detail: The policies that decided, by layer and id.
    """

    reason: Rejected
    detail: str


PolicyVerdicts: TypeAlias = Callable[[RegistrySnapshot, RuleSet, PolicyQuestion], Mapping[str, Refusal]]
"""Returns the services that the policies of some rules refuse to a class of requests, by name.

Pure: the same arguments always give the same answer, for rules that were read from a file and from a record alike.
Never raises for rules that were loaded: what cannot be evaluated is refused.
"""


def no_policies(_registry: RegistrySnapshot, rules: RuleSet, _question: PolicyQuestion) -> Mapping[str, Refusal]:
    """Evaluates rules that have no policy: refuses nothing.

    Raises:
        ValueError: They have policies, which only an evaluator can read.
    """
    if rules.has_policies:
        raise ValueError("these rules have policies, and there is nobody to evaluate them")
    return {}


def question_of(request: RouteRequest, tier: str, day: date, reads: frozenset[str]) -> PolicyQuestion:
    """The class of `request` for policies that read only `reads` of it."""
    estimate = request.estimate
    return PolicyQuestion(
        day=day,
        org_id=request.caller.org_id,
        user_id=request.caller.user_id if "user" in reads else "",
        roles=tuple(sorted(set(request.caller.roles))) if "roles" in reads else (),
        operation=request.operation if "operation" in reads else Operation.CHAT,
        tier=tier if "tier" in reads else "",
        data_class=request.data_class if "data_class" in reads else DataClass.PUBLIC,
        task_class=estimate.task_class if "task_class" in reads else "",
        complexity=estimate.complexity_ppm // COMPLEXITY_STEP_PPM if "complexity" in reads else 0,
        needs_tools="needs_tools" in reads and request.needs_tools,
    )
