"""Outcomes and replays over gRPC: what is learned, what other rules would have done, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from router_decision_fakes import (
    FakeDecisionLog,
    FakeEstimator,
    FakeRuleBook,
    FakeStateBoard,
    FakeTokenCounter,
    registry_of,
    rules_of,
)
from router_fakes import FakeRegistry, FakeRewards, contract_of, price_of, service_of
from router_money_fakes import FakeLimitBook, MemoryLedger, closing, opening

from protos.gen.nexus.router.v1 import decision_pb2 as pb
from protos.gen.nexus.router.v1 import decision_pb2_grpc
from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.adapters.rules_parser_yaml import YamlRulesParser
from provider_router.domain.contracts.contract import DataClass, Privacy, Quality
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.decision_record import ChainLink, chained
from provider_router.domain.decisions.route_request import Caller, Estimate, RouteRequest
from provider_router.domain.decisions.service_state import Reward
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.money.attempt import Outcome
from provider_router.servicer.decision_servicer import DecisionServicer, DecisionUseCases
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.long_work import LongWork
from provider_router.use_cases.replay_decisions import ReplayDecisions
from provider_router.use_cases.replay_imported import ReplayImported
from provider_router.use_cases.replay_recorded import ReplayRecorded
from provider_router.use_cases.report_outcome import ReportOutcome
from shared.client import translated_errors
from shared.errors import InvalidInput, NotFound, PreconditionFailed
from shared.server import Registration
from shared.server import Service as ServerService
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal, serving

CALLER = Caller("org-a", "user-1")
# Nothing but cost counts, or nothing but quality.
RULES = """\
version: 1
tiers:
  balanced:
    weights: {quality: %s, reward: 0, fit: 0, affinity: 0, cost: %s, latency: 0, risk: 0}
    cost_reference_usd: 0.001
    min_quality: 0
"""
FRUGAL, LAVISH = RULES % (0, 1), RULES % (1, 0)
Stub = decision_pb2_grpc.DecisionServiceStub


def chats(name: str, price: int, quality_ppm: int) -> Service:
    contract = contract_of(
        name,
        prices=price_of(price, price),
        quality=Quality(quality_ppm),
        privacy=Privacy(DataClass.CONFIDENTIAL),
    )
    return service_of(name, **{f: getattr(contract, f) for f in ("prices", "quality", "privacy")})


def unpriced(name: str) -> Service:
    return service_of(name, prices=(), privacy=Privacy(DataClass.CONFIDENTIAL, on_premises=False))


@dataclass
class Rig:
    """The service over fake stores and the real engine; `good/m` is dear, `cheap/m` is cheap."""

    log: FakeDecisionLog = field(default_factory=FakeDecisionLog)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    rewards: FakeRewards = field(default_factory=FakeRewards)
    registry: FakeRegistry = field(
        default_factory=lambda: FakeRegistry(
            registry_of(chats("cheap/m", 1_000_000, 300_000), chats("good/m", 90_000_000, 900_000), chat_chain=())
        )
    )

    def world(self) -> World:
        return World(self.registry.current(), rules_of(), FakeStateBoard().state)

    async def decided(self, *ids: str) -> None:
        for decision_id in ids:
            request = RouteRequest(CALLER, input_tokens=10, output_tokens=20, estimate=Estimate("code", 1, 1, "fake/1"))
            decision = DecisionEngine().decide(self.world(), request, FakeClock().now())
            await self.log.append(decision_id, decision, self.world())

    async def answered(self, decision_id: str, service: str, outcome: Outcome = Outcome.SUCCEEDED) -> None:
        attempt_id = f"{decision_id}-{service}"
        await self.ledger.open(opening(attempt_id, decision_id=decision_id, caller=CALLER, service=service))
        await self.ledger.close(closing(attempt_id, outcome=outcome))

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[Stub, None]:
        rules, clock = FakeRuleBook(), FakeClock()
        imported = ReplayImported(DecisionEngine(), FakeEstimator(), FakeTokenCounter(), clock)
        recorded = ReplayRecorded(self.log, self.rewards, DecisionEngine())
        use_cases = DecisionUseCases(
            admit=AdmitCall(FakeLimitBook(), MemoryRateLimiter(clock)),
            explain=None,
            get=None,
            page=None,
            verify=None,
            verify_all=None,
            report=ReportOutcome(self.log, self.ledger, self.rewards),
            replay=ReplayDecisions(self.registry, rules, YamlRulesParser(), recorded, imported, LongWork()),
        )
        registration = Registration(
            decision_pb2_grpc.add_DecisionServiceServicer_to_server,
            DecisionServicer(use_cases),
            pb.DESCRIPTOR.services_by_name["DecisionService"],
        )
        async with serving(ServerService("router", [registration]), principal("org-a")) as served:
            yield Stub(served.channel)


@pytest.fixture
def rig() -> Rig:
    return Rig()


async def reported(stub: Stub, decision_id: str = "d1", reward_ppm: int = 1_000_000) -> pb.ReportOutcomeResponse:
    request = pb.ReportOutcomeRequest(decision_id=decision_id, reward_ppm=reward_ppm, request_id="r")
    async with translated_errors("router"):
        return await stub.ReportOutcome(request, timeout=5)


async def replayed(stub: Stub, **fields: object) -> pb.ReplayResult:
    async with translated_errors("router"):
        events = [event async for event in stub.ReplayDecisions(pb.ReplayDecisionsRequest(**fields), timeout=10)]
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds[-1] == "result"
    assert set(kinds[:-1]) <= {"decided"}
    return events[-1].result


def query(text: str, **results: tuple[int, int]) -> pb.ImportedQuery:
    """A query whose answer by `cheap` or `good` had a quality and cost so much."""
    return pb.ImportedQuery(
        text=text,
        results=[
            pb.ImportedResult(model=f"{name}/m", quality_ppm=quality, cost_micro_usd=cost)
            for name, (quality, cost) in results.items()
        ],
    )


async def test_an_outcome_counts_for_the_service_that_answered(rig: Rig) -> None:
    await rig.decided("d1")
    await rig.answered("d1", "good/m", Outcome.FAILED)
    await rig.answered("d1", "cheap/m")
    async with rig.served() as stub:
        reply = await reported(stub, reward_ppm=700_000)
    assert (reply.counted, reply.model, reply.count) == (True, "cheap/m", 1)
    assert rig.rewards.of("org-a") == {"cheap/m": {"code": Reward(1, 700_000)}}


async def test_only_the_first_outcome_of_a_decision_counts(rig: Rig) -> None:
    await rig.decided("d1")
    await rig.answered("d1", "good/m")
    async with rig.served() as stub:
        await reported(stub, reward_ppm=700_000)
        again = await reported(stub, reward_ppm=0)
    assert (again.counted, again.count) == (False, 1)
    assert rig.rewards.of("org-a")["good/m"]["code"] == Reward(1, 700_000)


async def test_outcomes_that_are_refused(rig: Rig) -> None:
    await rig.decided("d1", "d2")
    rig.log.records["org-b"] = rig.log.records["org-a"][:]
    rig.log.records["org-a"][1] = replace(rig.log.records["org-a"][1], payload=b"{}")
    await rig.answered("d1", "good/m", Outcome.FAILED)
    async with rig.served() as stub:
        with pytest.raises(NotFound, match="DECISION_UNKNOWN"):
            await reported(stub, "d3")
        with pytest.raises(PreconditionFailed, match="NOT_ANSWERED"):
            await reported(stub, "d1")
        with pytest.raises(PreconditionFailed, match="DECISION_DAMAGED"):
            await reported(stub, "d2")
        with pytest.raises(InvalidInput, match="REQUEST_INVALID"):
            await reported(stub, "d1", 1_000_001)
    assert rig.rewards.of("org-a") == {}


async def test_recorded_decisions_are_decided_again_by_other_rules(rig: Rig) -> None:
    await rig.decided("d1", "d2", "d3")
    await rig.rewards.add("org-a", "d1", "cheap/m", "code", 400_000)
    await rig.rewards.add("org-a", "d2", "good/m", "code", 900_000)
    async with rig.served() as stub:
        frugal = await replayed(stub, recorded=100, rules_yaml=FRUGAL)
        lavish = await replayed(stub, recorded=100, rules_yaml=LAVISH)
    before, after = frugal.policies
    assert (before.name, before.routed, before.judged, before.quality_ppm) == ("recorded", 3, 2, 650_000)
    assert (after.name, [share.model for share in after.shares]) == ("tried", ["cheap/m"])
    assert (after.judged, after.quality_ppm) == (1, 400_000)
    assert [share.model for share in lavish.policies[1].shares] == ["good/m"]
    assert lavish.policies[1].quality_ppm == 900_000
    assert after.cost_micro_usd < lavish.policies[1].cost_micro_usd
    assert {frugal.changed, lavish.changed} == {0, 3}


async def test_what_was_judged_for_another_model_is_unknown_for_the_new_choice(rig: Rig) -> None:
    await rig.decided("d1")
    await rig.rewards.add("org-a", "d1", "good/m", "code", 900_000)
    async with rig.served() as stub:
        tried = (await replayed(stub, recorded=1, rules_yaml=FRUGAL)).policies[1]
    assert (tried.judged, tried.HasField("quality_ppm")) == (0, False)


async def test_a_replay_goes_over_pages(rig: Rig) -> None:
    await rig.decided(*(f"d{number}" for number in range(450)))
    async with rig.served() as stub:
        everything = await replayed(stub, recorded=10_000)
        some = await replayed(stub, recorded=300)
    assert [policy.name for policy in everything.policies] == ["recorded", "in force"]
    assert (everything.policies[0].routed, everything.changed) == (450, 0)
    assert some.policies[1].routed == 300


async def test_a_replay_leaves_out_what_somebody_changed(rig: Rig) -> None:
    """One payload, one that was written with a hash of its own, so that only the record after it tells."""
    await rig.decided(*(f"d{number}" for number in range(1, 6)))
    records = rig.log.records["org-a"]
    records[1] = replace(records[1], payload=records[1].payload.replace(b'"good/m"', b'"cheap/m"'))
    before = ChainLink(records[2].sequence, records[2].record_hash)
    changed = records[3].payload.replace(b'"input_tokens":10', b'"input_tokens":11')
    records[3] = chained("d4", "org-a", records[3].time_us, changed, before)
    async with rig.served() as stub:
        result = await replayed(stub, recorded=10)
    assert (result.policies[0].routed, result.damaged, result.skipped) == (3, 2, 0)


async def test_a_replay_leaves_out_what_it_has_no_world_of(rig: Rig) -> None:
    await rig.decided("d1")
    rig.log.documents.clear()
    async with rig.served() as stub:
        result = await replayed(stub, recorded=10)
    assert (result.policies[0].routed, result.damaged, result.skipped) == (0, 0, 1)


async def test_costs_that_nobody_knows_are_counted_and_not_taken_for_nothing(rig: Rig) -> None:
    rig.registry = FakeRegistry(registry_of(chats("dear/m", 90_000_000, 900_000), unpriced("new/m"), chat_chain=()))
    await rig.decided("d1")
    queries = [
        pb.ImportedQuery(
            text="q",
            results=[
                pb.ImportedResult(model="dear/m", quality_ppm=800_000, input_tokens=10),
                pb.ImportedResult(model="new/m", quality_ppm=800_000, input_tokens=10),
            ],
        )
    ]
    async with rig.served() as stub:
        recorded = await replayed(stub, recorded=1, rules_yaml=FRUGAL)
        imported = await replayed(stub, imported=pb.ImportedQueries(queries=queries), curve_points=3)
    policies = {each.name: each for each in (*recorded.policies, *imported.policies)}
    assert [share.model for share in policies["best possible"].shares] == ["dear/m"]
    assert (policies["always new/m"].unpriced, policies["always new/m"].cost_micro_usd) == (1, 0)
    assert (policies["always dear/m"].unpriced, policies["always dear/m"].cost_micro_usd) == (0, 900)
    for policy in policies.values():
        assert policy.unpriced == sum(share.requests for share in policy.shares if share.model == "new/m")
    assert not any(point.cost_micro_usd == 0 for point in imported.curve)


async def test_a_tier_that_the_new_rules_lack_finds_nothing(rig: Rig) -> None:
    request = RouteRequest(CALLER, tier="special", estimate=Estimate("code", 1, 1, "fake/1"))
    world = replace(rig.world(), rules=rules_of(tiers={**rules_of().tiers, "special": rules_of().tiers["fast"]}))
    await rig.log.append("d1", DecisionEngine().decide(world, request, FakeClock().now()), world)
    async with rig.served() as stub:
        before, after = (await replayed(stub, recorded=1, rules_yaml=FRUGAL)).policies
    assert (before.routed, after.routed, after.unrouted) == (1, 0, 1)


async def test_imported_queries_give_a_cost_quality_table_and_curve(rig: Rig) -> None:
    queries = [
        query("easy", cheap=(900_000, 10), good=(950_000, 900)),
        query("hard", cheap=(100_000, 20), good=(900_000, 1000)),
        query("only the good one answered", good=(500_000, 100)),
    ]
    async with rig.served() as stub:
        result = await replayed(stub, imported=pb.ImportedQueries(queries=queries), rules_yaml=FRUGAL, curve_points=5)
    policies = {policy.name: policy for policy in result.policies}
    assert list(policies) == ["in force", "tried", "best possible", "always cheap/m", "always good/m"]
    assert (policies["tried"].cost_micro_usd, policies["tried"].quality_ppm) == (130, 500_000)
    assert (policies["best possible"].cost_micro_usd, policies["best possible"].quality_ppm) == (2000, 783_333)
    assert (policies["always cheap/m"].routed, policies["always cheap/m"].unrouted) == (2, 1)
    assert policies["always good/m"].cost_micro_usd == 2000
    costs = [point.cost_micro_usd for point in result.curve]
    assert costs == sorted(costs)
    assert len(costs) == 5
    assert 0 < result.area_ppm <= 783_333


async def test_a_cost_that_the_table_leaves_out_is_counted_by_the_contract(rig: Rig) -> None:
    answer = pb.ImportedResult(model="cheap/m", quality_ppm=1, input_tokens=1_000_000, output_tokens=500_000)
    async with rig.served() as stub:
        result = await replayed(
            stub, imported=pb.ImportedQueries(queries=[pb.ImportedQuery(text="q", results=[answer])])
        )
    assert result.policies[0].cost_micro_usd == 1_500_000
    assert not result.HasField("area_ppm")


async def test_replays_that_are_refused(rig: Rig) -> None:
    unknown = pb.ImportedQueries(queries=[query("q", none=(1, 1))])
    async with rig.served() as stub:
        with pytest.raises(InvalidInput, match="RULES_INVALID") as caught:
            await replayed(stub, recorded=1, rules_yaml="version: 1\nnonsense: 1\n")
        assert "line 2" in caught.value.message
        with pytest.raises(InvalidInput, match="MODEL_UNKNOWN"):
            await replayed(stub, imported=unknown)
        with pytest.raises(InvalidInput, match="REQUEST_INVALID"):
            await replayed(stub, recorded=0)


async def test_nothing_recorded_is_nothing_replayed(rig: Rig) -> None:
    async with rig.served() as stub:
        result = await replayed(stub, recorded=10)
    assert [policy.routed for policy in result.policies] == [0, 0]
