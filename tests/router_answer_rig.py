"""The attempt runtime over fakes: services by name, a chain, a clock that stands still and a sleep that moves it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from router_decision_fakes import rules_of
from router_fakes import QUESTION, FakeChatModel, FakeDeployments, FakeModelSource, price_of, service_of, snapshot_of
from router_money_fakes import FakeLimitBook, MemoryLedger

from provider_router.adapters.affinity_memory import MemoryAffinity
from provider_router.adapters.call_opener_stepwise import StepwiseCallOpener
from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.chat_call import ChatCall, RoutingOptions
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.call_entry import CallEntry
from provider_router.domain.decisions.decision import Control, Decision, Link, Promise
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.domain.decisions.routed import Routed
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.world import World
from provider_router.domain.money.attempt import LedgerEntry
from provider_router.domain.money.rate import Charge
from provider_router.domain.traffic.retry_budget import RetryBudgets
from provider_router.ports.attempt_observer import AttemptRecord
from provider_router.use_cases.admit_answers import AdmitAnswers
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.answer_chat import AnswerChat
from provider_router.use_cases.attempt_desk import AttemptDesk, Ports
from provider_router.use_cases.chat_run import Means
from provider_router.use_cases.loose_ends import LooseEnds
from provider_router.use_cases.pace_retries import PaceRetries
from shared.testing.fakes import FakeClock, SequenceIds

CALLER = Caller("org-a", "ann", "key-1")
PRICES = price_of(1_000_000, 2_000_000)
"""A micro-dollar a token of the prompt, two a generated one."""


class WordCounter:
    """A token is a word; a prompt of nothing has one."""

    def count(self, request: ChatRequest, service: Service) -> int:
        return max(1, sum(len(message.text.split()) for message in request.messages))

    def text(self, service: Service, text: str) -> int:
        return max(1, len(text.split()))


class RecordingRateLimiter(MemoryRateLimiter):
    """The limiter in memory, which remembers what was taken and given back."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.taken: list[Charge] = []
        self.given_back: list[Charge] = []

    async def acquire(self, charges: Sequence[Charge]) -> float:
        wait_s = await super().acquire(charges)
        if not wait_s:
            self.taken += charges
        return wait_s

    async def give_back(self, charges: Sequence[Charge]) -> None:
        await super().give_back(charges)
        self.given_back += charges


@dataclass
class FakeObserver:
    """Remembers what it was told."""

    records: list[AttemptRecord] = field(default_factory=list)
    skipped: list[tuple[str, str]] = field(default_factory=list)
    fallbacks: list[tuple[str, str]] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    overheads_s: list[float] = field(default_factory=list)

    def ended(self, record: AttemptRecord) -> None:
        self.records.append(record)

    def passed_over(self, service: Service, reason: str) -> None:
        self.skipped.append((service.name, reason))

    def fell_back(self, service: Service, reason: str) -> None:
        self.fallbacks.append((service.name, reason))

    def decided(self, reason: str) -> None:
        self.decisions.append(reason)

    def began(self, overhead_s: float) -> None:
        self.overheads_s.append(overhead_s)


class KeptEntries:
    """As much of a log of decisions as is written to."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    async def append(self, decision_id: str, decision: Decision, world: World) -> None:
        self.ids.append(decision_id)


class Rig:
    """One chain of services, each answered by a fake model.

    Args:
        models: By `provider/model`, in the order of the chain. A list of models answers attempt by attempt.
        services: Those of them that are no plain ones.
        control: Fields of `Control` to change.
    """

    def __init__(self, models: dict[str, object], *services: Service, tries: int = 2, **control: object) -> None:
        own = {service.name: service for service in services}
        chain = [own.get(name) or service_of(name, prices=PRICES) for name in models]
        self.snapshot = snapshot_of(*chain)
        self.control = Control(
            **{
                "chain": tuple(Link(service.name, tries, 1_000) for service in chain),
                "max_attempts": 10,
                "total_timeout_ms": 60_000,
                "idle_timeout_ms": 500,
                "backoff_base_ms": 100,
                "backoff_cap_ms": 1_000,
                **control,
            }
        )
        self.source = TakingTurns(models)
        self.clock = FakeClock()
        self.deployments = FakeDeployments()
        self.limiter = RecordingRateLimiter(self.clock)
        self.book = FakeLimitBook()
        self.ledger = MemoryLedger(self.book)
        self.observer = FakeObserver()
        self.affinity = MemoryAffinity()
        self.retries = RetryBudgets()
        self.ends = LooseEnds()
        self.slept_s: list[float] = []
        self.jitter = 1.0
        self.refusal: Exception | None = None
        self.log = KeptEntries()
        opener = StepwiseCallOpener(self.log, self.limiter, self.ledger)
        ids = SequenceIds("attempt")
        ports = Ports(self.deployments, self.limiter, opener, self.ledger, self.observer, self.clock, ids)
        self.desk = AttemptDesk(ports)
        self.means = Means(
            desk=self.desk,
            models=self.source,
            counter=WordCounter(),
            retries=PaceRetries(self.retries, self.clock, self._sleep, lambda: self.jitter),
            ends=self.ends,
            instruction="Go on.",
            most=CallLimits(60_000, 30_000, 300_000),
        )
        self.admit = AdmitCall(self.book, self.limiter)
        chat = AnswerChat(self.admit, self._decide, self.affinity, self.means)
        self.answer = AdmitAnswers(self.admit, chat)

    async def _sleep(self, seconds: float) -> None:
        await self.sleep(seconds)

    async def sleep(self, seconds: float) -> None:
        """Moves the clock; tests may put another one in its place."""
        self.slept_s.append(seconds)
        self.clock.advance(seconds)
        await asyncio.sleep(0)

    async def _decide(self, call: ChatCall) -> Routed:
        if self.refusal is not None:
            raise self.refusal
        now = datetime(2026, 11, 20, 12, tzinfo=UTC)
        names = [link.service for link in self.control.chain]
        request = RouteRequest(call.caller, input_tokens=1, output_tokens=2)
        decision = Decision(now, request, "", "", "", "balanced", (), (), names[0], Promise(), self.control)
        tokens = self.book.token_charges(call.caller, request.input_tokens + request.output_tokens)
        requests = self.book.request_charges(call.caller)
        world = World(self.snapshot, rules_of(), system_state({}))
        entry = CallEntry("decision-1", decision, world, requests, tokens, has_requests=call.asks_cache)
        return Routed(entry, self.snapshot.services)

    def stream(self, request: ChatRequest = QUESTION, **options: object):
        return self.answer.stream(ChatCall(CALLER, request, RoutingOptions(**options)))

    async def events(self, request: ChatRequest = QUESTION, **options: object) -> list:
        return [event async for event in self.stream(request, **options)]

    @property
    def rows(self) -> list[LedgerEntry]:
        return list(self.ledger.rows)

    def outcomes(self) -> list[tuple[str, str, str]]:
        """Service, outcome and reason of each row, in the order of the openings."""
        return [
            (row.opening.service, row.closing.outcome.value if row.closing else "open", row.closing.reason)
            for row in self.rows
        ]

    def cost_micro_usd(self) -> int:
        return sum(row.closing.cost_micro_usd for row in self.rows)

    def nothing_is_held(self) -> bool:
        return not self.deployments.out and all(row.closing is not None for row in self.rows)


class TakingTurns(FakeModelSource):
    """A service with a list of models has one answer after the other, the last one for ever."""

    def __init__(self, models: dict[str, object]) -> None:
        super().__init__({})
        self._turns = {name: list(given) if isinstance(given, list) else [given] for name, given in models.items()}

    def chat_model(self, service: Service, target: object) -> FakeChatModel:
        self.targets.append(target)
        turns = self._turns[service.name]
        model = turns.pop(0) if len(turns) > 1 else turns[0]
        if isinstance(model, Exception):
            raise model
        return model
