"""Fakes of the ports that decisions are made and kept with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import takewhile

from router_fakes import service_of, snapshot_of

from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.contracts.contract_document import registry_digest
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.decision import (
    FORMULA,
    TERMS,
    Control,
    Decision,
    Link,
    Promise,
    Ranked,
    Rejected,
    Rejection,
    Step,
)
from provider_router.domain.decisions.decision_document import encode_decision, microseconds_of
from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord, chained
from provider_router.domain.decisions.route_request import Caller, Estimate, RouteRequest
from provider_router.domain.decisions.service_state import ServiceState, SystemState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.stored_world import Documents, PartName, encode_part, parts_of
from provider_router.domain.decisions.world import World
from provider_router.domain.money.budget import BudgetStatus
from provider_router.domain.rulebook.rules import RuleSet
from provider_router.domain.rulebook.rules_document import with_digest
from provider_router.domain.rulebook.tiers import BUILT_IN, DEFAULT_TIER


def rules_of(**changes: object) -> RuleSet:
    """The built-in tiers and no rule."""
    nothing = RuleSet("", "", "", (), (), BUILT_IN, DEFAULT_TIER, DataClass.INTERNAL, "")
    return with_digest(replace(nothing, **changes))


def registry_of(*services: Service, **changes: object) -> RegistrySnapshot:
    """A snapshot with the digest that it must have."""
    chosen = services or (service_of("one/m"), service_of("two/m"))
    snapshot = snapshot_of(*chosen)
    return replace(snapshot, digest=registry_digest(each.contract for each in chosen), **changes)


def world_of(
    *services: Service, rules: RuleSet | None = None, state: dict[str, ServiceState] | None = None, **changes: object
) -> World:
    return World(registry_of(*services, **changes), rules or rules_of(), system_state(state or {}))


def decided_in(world: World, decision: Decision) -> Decision:
    """`decision` as if it had been made in `world`."""
    return replace(
        decision,
        registry_digest=world.registry.digest,
        rules_digest=world.rules.digest,
        state_digest=world.state.digest,
    )


@dataclass
class FakeDecisionLog:
    """Implements `DecisionLog` in memory. `records` and `documents` are there to be tampered with."""

    records: dict[str, list[DecisionRecord]] = field(default_factory=lambda: defaultdict(list))
    documents: dict[tuple[str, PartName], bytes] = field(default_factory=dict)
    anchors: dict[str, ChainLink] = field(default_factory=dict)

    async def append(self, decision_id: str, decision: Decision, world: World) -> None:
        org_id = decision.request.caller.org_id
        records = self.records[org_id]
        if any(each.decision_id == decision_id for each in records):
            return
        end = ChainLink(records[-1].sequence, records[-1].record_hash) if records else await self.anchor(org_id)
        records.append(chained(decision_id, org_id, microseconds_of(decision.time), encode_decision(decision), end))
        for name in parts_of(decision):
            self.documents.setdefault((org_id, name), encode_part(world, name.part))

    async def get(self, org_id: str, decision_id: str) -> DecisionRecord | None:
        return next((each for each in self.records[org_id] if each.decision_id == decision_id), None)

    async def before(self, record: DecisionRecord) -> DecisionRecord | None:
        return self._at(record.org_id, record.sequence - 1)

    async def after(self, record: DecisionRecord) -> DecisionRecord | None:
        return self._at(record.org_id, record.sequence + 1)

    async def anchor(self, org_id: str) -> ChainLink:
        return self.anchors.get(org_id, ChainLink())

    async def listed(
        self, org_id: str, *, before_sequence: int = 0, since: datetime | None = None, limit: int = 50
    ) -> Sequence[DecisionRecord]:
        newest = reversed(self.records[org_id])
        if since is not None:
            newest = takewhile(lambda each: each.time_us >= microseconds_of(since), newest)
        return [each for each in newest if not before_sequence or each.sequence < before_sequence][:limit]

    async def following(self, org_id: str, *, after_sequence: int, limit: int) -> Sequence[DecisionRecord]:
        return [each for each in self.records[org_id] if each.sequence > after_sequence][:limit]

    async def world_of(self, decision: Decision) -> Documents:
        org_id = decision.request.caller.org_id
        names = [name for name in parts_of(decision) if (org_id, name) in self.documents]
        return {name.part: self.documents[org_id, name] for name in names}

    async def prune(self, *, older_than: datetime, keep: int, limit: int) -> int:
        for org_id, records in self.records.items():
            removed = [
                each
                for place, each in enumerate(records)
                if place < len(records) - keep or each.time_us < microseconds_of(older_than)
            ][:limit]
            if removed:
                del records[: len(removed)]
                self.anchors[org_id] = ChainLink(removed[-1].sequence, removed[-1].record_hash)
                return len(removed)
        return 0

    def _at(self, org_id: str, sequence: int) -> DecisionRecord | None:
        return next((each for each in self.records[org_id] if each.sequence == sequence), None)


@dataclass
class FakeRuleBook:
    rules: RuleSet = field(default_factory=rules_of)

    def of(self, org_id: str) -> RuleSet:
        return self.rules

    def problems(self, org_id: str = "", *, of_all: bool = False) -> Sequence[ConfigurationProblem]:
        return ()


@dataclass
class FakeProblems:
    """Implements `ConfigurationProblems`: the same for everybody; `hidden` ones for who sees those of all."""

    found: Sequence[ConfigurationProblem] = ()
    hidden: Sequence[ConfigurationProblem] = ()

    def of(self, org_id: str, *, of_all: bool) -> Sequence[ConfigurationProblem]:
        return (*self.found, *self.hidden) if of_all else self.found


@dataclass
class FakeStateBoard:
    state: SystemState = field(default_factory=lambda: system_state({}))

    def current(self, org_id: str) -> SystemState:
        return self.state


@dataclass
class FakeEstimator:
    answer: Estimate = field(default_factory=lambda: Estimate("code", 800_000, 600_000, "fake/1"))
    asked: int = 0

    async def estimate(self, request: ChatRequest) -> Estimate:
        self.asked += 1
        return self.answer


class FakeTokenCounter:
    """Counts a token a character; `asked_for` are the services that were counted for."""

    def __init__(self) -> None:
        self.asked_for: list[str] = []

    def count(self, request: ChatRequest, service: Service) -> int:
        self.asked_for.append(service.name)
        return sum(len(message.text) for message in request.messages)

    def text(self, service: Service, text: str) -> int:
        return len(text)


@dataclass
class FakeBudgets:
    """A ledger of which only the budgets are asked."""

    statuses: Sequence[BudgetStatus] = ()

    async def budgets(self, caller: Caller, conversation_id: str, *, max_age_s: float = 0.0) -> Sequence[BudgetStatus]:
        return self.statuses


class FakeEngine:
    """Takes the services in the order of their names; `refused` ones are removed at the traits."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def decide(self, world: World, request: RouteRequest, now: datetime, formula: int = FORMULA) -> Decision:
        names = [name for name in sorted(world.registry.services) if name not in self.refused]
        ranked = tuple(
            Ranked(name, 10 * (9 - place), (10 * (9 - place),) + (0,) * (len(TERMS) - 1), place, place, place)
            for place, name in enumerate(names)
        )
        return Decision(
            time=now,
            request=request,
            registry_digest=world.registry.digest,
            rules_digest=world.rules.digest,
            state_digest=world.state.digest,
            tier=request.tier or world.rules.default_tier,
            rejections=tuple(Rejection(name, Step.TRAITS, Rejected.TRAIT, "refused") for name in sorted(self.refused)),
            ranked=ranked,
            choice=names[0] if names else "",
            promise=Promise(availability_ppm=len(names)),
            control=Control(tuple(Link(name, 1, 1000) for name in names), len(names)),
            formula=formula,
        )
