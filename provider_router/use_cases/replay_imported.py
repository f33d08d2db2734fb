"""Decides imported queries, whose answers by several models are known, and says what policies would have got."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Contract, DataClass
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.decisions.replay import (
    CurvePoint,
    ImportedQuery,
    ImportedResult,
    Pick,
    PolicySummary,
    ReplayResult,
    Tally,
    area_ppm,
)
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.domain.decisions.service_state import SystemState
from provider_router.domain.decisions.world import World
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.pricing import cost_micro_usd
from provider_router.domain.rulebook.rules import RuleSet
from provider_router.domain.tasks.expected_output import expected_output_tokens
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.ports.task_estimator import TaskEstimator
from provider_router.ports.token_counter import TokenCounter
from provider_router.use_cases.long_work import Slices
from shared.clock import Clock

_MOST_COST_WEIGHT = 10_000


@dataclass(frozen=True, slots=True)
class _Case:
    """One query, ready to be decided: its features, its world, and what each of its models did."""

    request: RouteRequest
    registry: RegistrySnapshot
    picks: Mapping[str, Pick]


class ReplayImported:
    """Replays imported queries over the models that answered them, as if all of those were well.

    The engine sees what it would see of a live request; the tokens and the quality of the answers are for the account.
    """

    def __init__(self, engine: DecisionEngine, estimator: TaskEstimator, counter: TokenCounter, clock: Clock) -> None:
        self._engine = engine
        self._estimator = estimator
        self._counter = counter
        self._clock = clock

    async def __call__(
        self,
        caller: Caller,
        registry: RegistrySnapshot,
        policies: Mapping[str, RuleSet],
        queries: Sequence[ImportedQuery],
        curve_points: int,
        slices: Slices,
    ) -> AsyncGenerator[int | ReplayResult, None]:
        """Yields how many decisions were made, now and then; at last the result.

        Args:
            caller: On whose behalf; rules may read it.
            registry: The services; every model of the queries must be among them.
            policies: Rules to decide by, by name; the curve is that of the last.
            queries: At least one.
            curve_points: Of the curve; 0 for none.
            slices: Says when others are to work.

        Raises:
            InvalidInput: MODEL_UNKNOWN.
        """
        now = self._clock.now()
        _check_known(queries, registry)
        views = _Views(registry)
        cases: list[_Case] = []
        for query in queries:
            await slices.rest()
            cases.append(await self._case(caller, query, views, now))
        summaries: list[PolicySummary] = []
        chosen: list[list[str]] = []
        decided = 0
        for name, rules in policies.items():
            picks = await self._picks(cases, rules, now, slices)
            summaries.append(_summed(name, picks))
            chosen.append([pick.service for pick in picks])
            decided += len(cases)
            yield decided
        curve: list[CurvePoint] = []
        rules = list(policies.values())[-1]
        for weight in _weights(curve_points):
            summary = _summed("", await self._picks(cases, _with_cost_weight(rules, weight), now, slices))
            # Without all costs there is no place for a point.
            if summary.quality_ppm is not None and not summary.unpriced:
                curve.append(CurvePoint(weight, summary.cost_micro_usd, summary.quality_ppm))
            decided += len(cases)
            yield decided
        summaries += [_summed("best possible", [_best(case) for case in cases]), *_always(cases)]
        changed = sum(first != last for first, last in zip(chosen[0], chosen[-1], strict=True))
        ordered = tuple(sorted(curve, key=lambda point: point.cost_micro_usd))
        yield ReplayResult(tuple(summaries), ordered, area_ppm(ordered), changed, 0)

    async def _case(self, caller: Caller, query: ImportedQuery, views: _Views, now: datetime) -> _Case:
        chat = ChatRequest((Message(Role.USER, query.text),))
        registry = views.of(frozenset(result.model for result in query.results))
        estimate = await self._estimator.estimate(chat)
        tokens = self._counter.count(chat, next(iter(registry.services.values())))
        request = RouteRequest(
            caller=caller,
            input_tokens=tokens,
            output_tokens=expected_output_tokens(estimate, tokens, 0),
            payload_bytes=len(query.text.encode()),
            data_class=DataClass.PUBLIC,
            estimate=estimate,
        )
        services = registry.services
        picks = {each.model: _pick(services[each.model].contract, each, now) for each in query.results}
        return _Case(request, registry, picks)

    async def _picks(self, cases: Sequence[_Case], rules: RuleSet, now: datetime, slices: Slices) -> list[Pick]:
        picks: list[Pick] = []
        for case in cases:
            await slices.rest()
            choice = self._engine.decide(World(case.registry, rules, _ALL_WELL), case.request, now).choice
            picks.append(case.picks[choice] if choice else Pick())
        return picks


class _Views:
    """The registry reduced to the models of a query; queries over the same models share one."""

    def __init__(self, registry: RegistrySnapshot) -> None:
        self._registry = registry
        self._made: dict[frozenset[str], RegistrySnapshot] = {}

    def of(self, models: frozenset[str]) -> RegistrySnapshot:
        """The registry with `models` alone, and without a chain."""
        if models not in self._made:
            services = {name: service for name, service in self._registry.services.items() if name in models}
            self._made[models] = replace(self._registry, services=services, chat_chain=())
        return self._made[models]


_ALL_WELL = SystemState({}, "")


def _check_known(queries: Sequence[ImportedQuery], registry: RegistrySnapshot) -> None:
    named = {result.model for query in queries for result in query.results}
    unknown = sorted(named - registry.services.keys())
    if unknown:
        listed = ", ".join(unknown[:5])
        raise failure(
            Reason.MODEL_UNKNOWN,
            f"The table has models that are not configured ({len(unknown)}): {listed}. Register a contract for each.",
            metadata={"model": unknown[0]},
        )


def _pick(contract: Contract, result: ImportedResult, now: datetime) -> Pick:
    cost = result.cost_micro_usd
    if cost is None and not contract.price_is_unknown_on(now.date()):
        cost = cost_micro_usd(contract.price_on(now.date()), TokenUsage(result.input_tokens, result.output_tokens))
    return Pick(result.model, cost, result.quality_ppm)


def _summed(name: str, picks: Sequence[Pick]) -> PolicySummary:
    tally = Tally(name)
    for pick in picks:
        tally.add(pick)
    return tally.summary()


def _best(case: _Case) -> Pick:
    """The best answer; of equally good ones the cheapest, those of unknown cost last."""
    return min(case.picks.values(), key=_goodness)


def _goodness(pick: Pick) -> tuple[int, bool, int, str]:
    return (-(pick.quality_ppm or 0), pick.cost_micro_usd is None, pick.cost_micro_usd or 0, pick.service)


def _always(cases: Sequence[_Case]) -> list[PolicySummary]:
    """What each model alone would have got; a query that it did not answer is unrouted."""
    models = sorted({model for case in cases for model in case.picks})
    return [_summed(f"always {model}", [case.picks.get(model, Pick()) for case in cases]) for model in models]


def _weights(points: int) -> list[int]:
    """So many weights of cost from none to the most that there is, evenly; a single point is the one without."""
    return [_MOST_COST_WEIGHT * index // max(1, points - 1) for index in range(points)]


def _with_cost_weight(rules: RuleSet, weight: int) -> RuleSet:
    tiers = {name: replace(tier, weights=replace(tier.weights, cost=weight)) for name, tier in rules.tiers.items()}
    return replace(rules, tiers=tiers)
