"""Reads of a call what may decide over it: features, never its text."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from provider_router.domain.calls.asked_model import AskedModel, asked_model, likeliest_service
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.calls.payload_size import payload_bytes
from provider_router.domain.contracts.dialect import DIALECT_TRAIT
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.decisions.route_request import Comparison, Estimate, RouteRequest, TraitConstraint
from provider_router.domain.decisions.world import World
from provider_router.domain.money.budget import BudgetStatus
from provider_router.domain.rulebook.rules import RuleSet, When
from provider_router.domain.tasks.expected_output import expected_output_tokens
from provider_router.ports.affinity import Affinity
from provider_router.ports.ledger import Ledger
from provider_router.ports.task_estimator import TaskEstimator
from provider_router.ports.token_counter import TokenCounter
from shared.value import value

_ALWAYS = When()
_NOT_ESTIMATED = Estimate()
_NO_PARAMETERS = frozenset[str]()
_BUDGETS_AGE_S = 0.2
_ESTIMATED = ("task_class", "complexity")


@value
class Features:
    """What was read.

    Attributes:
        request: The features.
        budgets: Of the caller.
    """

    request: RouteRequest
    budgets: Sequence[BudgetStatus]


class ReadFeatures:
    """Reads features: counts tokens, estimates the task, and looks up budgets and the conversation's last service."""

    def __init__(self, counter: TokenCounter, estimator: TaskEstimator, ledger: Ledger, affinity: Affinity) -> None:
        self._counter = counter
        self._estimator = estimator
        self._ledger = ledger
        self._affinity = affinity

    async def __call__(self, call: ChatCall, world: World) -> Features:
        """The features of `call`.

        Raises:
            UpstreamDown: Budgets cannot be read.
        """
        chat, options, caller = call.request, call.options, call.caller
        asked = asked_model(options.model, options.tier, world.registry.chat_chain)
        input_tokens = self._input_tokens(call, asked, world.registry)
        max_output_tokens = chat.max_output_tokens or 0
        # A named model is the only candidate: only rules can ask how hard its task is.
        matters = not asked.model or _reads_estimates(world.rules)
        estimate = await self._estimator.estimate(chat) if matters else _NOT_ESTIMATED
        # The reservation is exact; here it is enough to know what is worth trying.
        budgets = await self._ledger.budgets(caller, options.conversation_id, max_age_s=_BUDGETS_AGE_S)
        conversation = options.conversation_id
        request = RouteRequest(
            caller=caller,
            model=asked.model,
            provider=asked.provider,
            chain=asked.chain,
            tier=options.tier,
            needs_tools=bool(chat.tools),
            needs_json_schema=chat.response_schema is not None,
            input_modalities=chat.input_modalities,
            parameters=_NO_PARAMETERS if options.drop_unsupported else chat.parameters,
            input_tokens=input_tokens,
            max_output_tokens=max_output_tokens,
            output_tokens=expected_output_tokens(estimate, input_tokens, max_output_tokens),
            payload_bytes=payload_bytes(chat),
            data_class=world.rules.default_data_class if options.data_class is None else options.data_class,
            residency=options.residency,
            traits=options.traits + _needed(chat, dropping=options.drop_unsupported),
            max_cost_micro_usd=options.max_cost_micro_usd,
            budget_left_micro_usd=min((each.left_micro_usd for each in budgets), default=None),
            deadline_ms=options.timeout_ms,
            affinity=self._affinity.last(caller.org_id, conversation) if conversation else "",
            estimate=estimate,
        )
        return Features(request, budgets)

    def _input_tokens(self, call: ChatCall, asked: AskedModel, registry: RegistrySnapshot) -> int:
        """Tokens of the prompt as the likeliest service counts them; each attempt counts again for its own service."""
        service = likeliest_service(asked, registry)
        return self._counter.count(call.request, service) if service else 0


def _needed(chat: ChatRequest, *, dropping: bool) -> tuple[TraitConstraint, ...]:
    """What the request needs of a service besides what its options say: the dialect of fields that no other knows."""
    if dropping or chat.body is None or not chat.body.foreign:
        return ()
    return (TraitConstraint(DIALECT_TRAIT, Comparison.EQUAL, (chat.body.dialect.value,)),)


@lru_cache(maxsize=64)
def _reads_estimates(rules: RuleSet) -> bool:
    """Whether some rule that can forbid a service reads the task class or the complexity."""
    conditions = [requirement.when for requirement in rules.requirements]
    if any(
        when.task_classes
        or (when.min_complexity_ppm, when.max_complexity_ppm)
        != (_ALWAYS.min_complexity_ppm, _ALWAYS.max_complexity_ppm)
        for when in conditions
    ):
        return True
    return not rules.policy_reads.isdisjoint(_ESTIMATED)
