"""`DecisionService` over gRPC: what it answers, and with which error it refuses."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest
from google.protobuf.duration_pb2 import Duration
from router_decision_fakes import (
    FakeBudgets,
    FakeDecisionLog,
    FakeEstimator,
    FakeRuleBook,
    FakeStateBoard,
    FakeTokenCounter,
    registry_of,
    rules_of,
    world_of,
)
from router_fakes import FakeRegistry, contract_of, price_of, provider_spec
from router_money_fakes import FakeLimitBook, MemoryLedger, closing, opening

from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2_grpc
from protos.gen.nexus.router.v1 import decision_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2 as chat_pb
from provider_router.adapters.affinity_memory import MemoryAffinity
from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.contracts.contract import Capabilities, DataClass, Operation, Privacy
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.decision_document import decode_decision
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.budget import BudgetStatus, Period, Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit
from provider_router.servicer.decision_servicer import DecisionServicer, DecisionUseCases
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.explain_route import ExplainRoute
from provider_router.use_cases.get_decision import GetDecision
from provider_router.use_cases.list_decisions import ListDecisions
from provider_router.use_cases.long_work import LongWork
from provider_router.use_cases.read_features import ReadFeatures
from provider_router.use_cases.see_world import SeeWorld
from provider_router.use_cases.verify_chain import VerifyChain
from provider_router.use_cases.verify_decision import VerifyDecision
from shared.client import translated_errors
from shared.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    Unauthenticated,
    UpstreamDown,
)
from shared.server import Registration
from shared.server import Service as ServerService
from shared.testing.fakes import FakeClock
from shared.testing.harness import Served, principal, serving

CALLER = Caller("org-a", "user-1", "key-7", ("owner",))
CHAT = Capabilities(frozenset({Operation.CHAT}), tool_calling=True, json_schema=True, context_length=8000)


def chats(name: str, **changes: object) -> Service:
    contract = replace(contract_of(name), capabilities=CHAT, privacy=Privacy(DataClass.CONFIDENTIAL), **changes)
    return Service(contract, provider_spec(name.partition("/")[0]))


@dataclass
class Rig:
    """The service over fake ports and the real engine."""

    log: FakeDecisionLog = field(default_factory=FakeDecisionLog)
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    budgets: FakeBudgets = field(default_factory=FakeBudgets)
    book: FakeLimitBook = field(default_factory=FakeLimitBook)
    services: tuple[Service, ...] = (
        chats("one/m", prices=price_of(1_000_000, 2_000_000)),
        chats("two/m", prices=price_of(1, 1)),
        chats("own/m", org_id="org-b"),
    )

    def explain(self) -> ExplainRoute:
        see = SeeWorld(FakeRegistry(registry_of(*self.services)), FakeRuleBook(rules_of()), FakeStateBoard())
        features = ReadFeatures(FakeTokenCounter(), FakeEstimator(), self.budgets, MemoryAffinity())
        return ExplainRoute(see, features, DecisionEngine(), FakeClock())

    async def decided(self, *ids: str, org_id: str = "org-a") -> None:
        for decision_id in ids:
            explained = await self.explain()(
                ChatCall(replace(CALLER, org_id=org_id), ChatRequest((Message(Role.USER, "Hi"),)))
            )
            await self.log.append(decision_id, explained.decision, explained.world)

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[tuple[decision_pb2_grpc.DecisionServiceStub, Served], None]:
        use_cases = DecisionUseCases(
            admit=AdmitCall(self.book, MemoryRateLimiter(FakeClock())),
            explain=self.explain(),
            get=GetDecision(self.log, self.ledger),
            page=ListDecisions(self.log, self.ledger),
            verify=VerifyDecision(self.log, DecisionEngine),
            verify_all=VerifyChain(self.log, DecisionEngine, LongWork()),
            report=None,
            replay=None,
        )
        registration = Registration(
            decision_pb2_grpc.add_DecisionServiceServicer_to_server,
            DecisionServicer(use_cases),
            pb.DESCRIPTOR.services_by_name["DecisionService"],
        )
        async with serving(ServerService("router", [registration])) as served:
            yield decision_pb2_grpc.DecisionServiceStub(served.channel), served


@pytest.fixture
def rig() -> Rig:
    return Rig()


def question(text: str = "Hi", **fields: object) -> pb.ExplainRouteRequest:
    said = chat_pb.ChatMessage(role=chat_pb.ROLE_USER, content=[chat_pb.ContentPart(text=text)])
    return pb.ExplainRouteRequest(request=chat_pb.ChatCompletionRequest(messages=[said], **fields))


async def explained(stub: decision_pb2_grpc.DecisionServiceStub, request: pb.ExplainRouteRequest) -> pb.Decision:
    async with translated_errors("router"):
        return (await stub.ExplainRoute(request, timeout=5)).decision


async def test_an_explanation(rig: Rig) -> None:
    async with rig.served() as (stub, _):
        decision = await explained(stub, question())
    assert decision.choice == "one/m"
    assert [each.model for each in decision.candidates] == ["one/m", "two/m"]
    assert [each.model for each in decision.rejections] == []
    first = decision.candidates[0]
    names = ["quality", "reward", "fit", "affinity", "preference", "order", "cost", "latency", "risk"]
    assert [term.name for term in first.terms] == names
    assert sum(term.value for term in first.terms) == first.score
    assert first.expected_cost_micro_usd > 0
    assert [link.model for link in decision.control.chain] == ["one/m", "two/m"]
    assert decision.promise.clearance == contract_pb2.DATA_CLASS_CONFIDENTIAL
    assert (decision.decision_id, decision.sequence, decision.record_hash) == ("", 0, "")
    assert len(decision.registry_digest) == len(decision.rules_digest) == len(decision.state_digest) == 64
    assert decision.features.task_class == "code"
    assert rig.log.records == {}


async def test_an_explanation_reads_every_option(rig: Rig) -> None:
    trait = contract_pb2.TraitConstraint(
        trait="reasoning",
        comparison=contract_pb2.COMPARISON_IN,
        values=[
            contract_pb2.TraitValue(bool_value=True),
            contract_pb2.TraitValue(int_value=7),
            contract_pb2.TraitValue(string_value="much"),
        ],
    )
    options = chat_pb.RoutingOptions(
        tier="deep",
        data_class=contract_pb2.DATA_CLASS_CONFIDENTIAL,
        residency=["EU", "ch"],
        traits=[trait],
        max_cost_micro_usd=1_000_000,
        timeout=Duration(seconds=3, nanos=500_000_000),
    )
    tools = [chat_pb.ToolDefinition(name="t")]
    request = question(
        model="two/", routing=options, tools=tools, response_json_schema='{"type": "string"}', max_output_tokens=9
    )
    async with rig.served() as (stub, _):
        decision = await explained(stub, request)
    features = decision.features
    assert (features.user_id, features.model, features.operation) == ("user-1", "two/", contract_pb2.OPERATION_CHAT)
    assert decision.tier == "deep"
    assert features.data_class == contract_pb2.DATA_CLASS_CONFIDENTIAL
    assert list(features.residency) == ["ch", "eu"]
    assert list(features.traits) == [trait]
    assert features.max_cost_micro_usd == 1_000_000
    assert features.deadline_ms == 3500
    assert (features.needs_tools, features.needs_json_schema, features.max_output_tokens) == (True, True, 9)
    assert decision.choice == ""
    assert {each.model: each.step for each in decision.rejections} == {"one/m": "match", "two/m": "security"}


async def test_an_explanation_that_says_nothing_of_routing(rig: Rig) -> None:
    async with rig.served() as (stub, _):
        features = (await explained(stub, question())).features
    assert features.data_class == contract_pb2.DATA_CLASS_INTERNAL
    for name in ("max_cost_micro_usd", "budget_left_micro_usd", "deadline_ms"):
        assert not features.HasField(name)
    assert list(features.chain) == ["one/m", "two/m", "own/m"]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (question(routing=chat_pb.RoutingOptions(tier="huge")), "TIER_UNKNOWN"),
        (question(""), "INVALID_MESSAGES"),
        (question(response_json_schema="{"), "INVALID_SCHEMA"),
        (question(routing=chat_pb.RoutingOptions(residency=[""])), "REQUEST_INVALID"),
        (question(routing=chat_pb.RoutingOptions(max_cost_micro_usd=-1)), "REQUEST_INVALID"),
        (pb.ExplainRouteRequest(), "REQUEST_INVALID"),
    ],
)
async def test_questions_that_cannot_be_explained(rig: Rig, request_: pb.ExplainRouteRequest, reason: str) -> None:
    async with rig.served() as (stub, _):
        with pytest.raises(InvalidInput) as caught:
            await explained(stub, request_)
    assert caught.value.reason == reason


async def test_services_and_decisions_of_others_do_not_exist(rig: Rig) -> None:
    await rig.decided("d-b", org_id="org-b")
    async with rig.served() as (stub, _):
        shown = await explained(stub, question())
        assert b"own/m" not in shown.candidates[0].SerializeToString()
        assert "own/m" not in [each.model for each in (*shown.candidates, *shown.rejections)]
        for call in (get, verify):
            with pytest.raises(NotFound):
                await call(stub, "d-b")
        assert (await listed(stub)).decisions == []


async def get(stub: decision_pb2_grpc.DecisionServiceStub, decision_id: str) -> pb.GetDecisionResponse:
    async with translated_errors("router"):
        return await stub.GetDecision(pb.GetDecisionRequest(decision_id=decision_id), timeout=5)


async def verify(stub: decision_pb2_grpc.DecisionServiceStub, decision_id: str) -> pb.VerifyDecisionResponse:
    async with translated_errors("router"):
        return await stub.VerifyDecision(pb.VerifyDecisionRequest(decision_id=decision_id), timeout=5)


async def listed(
    stub: decision_pb2_grpc.DecisionServiceStub, size: int = 0, token: str = "", operation: int = 0
) -> pb.ListDecisionsResponse:
    async with translated_errors("router"):
        request = pb.ListDecisionsRequest(page_size=size, page_token=token, operation=operation)
        return await stub.ListDecisions(request, timeout=5)


async def test_a_decision_with_what_became_of_it(rig: Rig) -> None:
    await rig.decided("d-1", "d-2")
    await rig.ledger.open(opening("a-1", decision_id="d-2", caller=CALLER, conversation_id="c-1", hedge=True))
    await rig.ledger.close(closing("a-1"))
    await rig.ledger.open(opening("a-2", decision_id="d-2", caller=CALLER))
    await rig.ledger.open(opening("a-3", decision_id="d-1", caller=CALLER))
    async with rig.served() as (stub, _):
        reply = await get(stub, "d-2")
    decision = reply.decision
    first, second = rig.log.records["org-a"]
    assert (decision.decision_id, decision.sequence) == ("d-2", 2)
    assert (decision.previous_hash, decision.record_hash) == (first.record_hash, second.record_hash)
    assert decision.features.key_id == "key-7"
    assert len(decision.candidates) == 2
    done, running = reply.attempts
    assert (done.attempt_id, done.model, done.outcome, done.hedge) == ("a-1", "one/m", "succeeded", True)
    assert (done.usage.input_tokens, done.usage.output_tokens) == (10, 5)
    assert (done.cost_micro_usd, done.reserved_micro_usd, done.first_token_ms) == (60, 100, 70)
    assert (done.user_id, done.conversation_id, done.price_version) == ("user-1", "c-1", "one/m@2026-01-01")
    assert done.end_time.seconds - done.start_time.seconds == 1
    assert (running.outcome, running.HasField("usage"), running.HasField("end_time")) == ("open", False, False)


async def test_decisions_are_listed_a_page_at_a_time(rig: Rig) -> None:
    await rig.decided(*(f"d-{number}" for number in range(1, 6)))
    async with rig.served() as (stub, _):
        page = await listed(stub, 2)
        assert [each.decision_id for each in page.decisions] == ["d-5", "d-4"]
        assert (page.decisions[0].choice, page.decisions[0].sequence) == ("one/m", 5)
        assert not page.decisions[0].candidates
        page = await listed(stub, 2, page.next_page_token)
        assert [each.decision_id for each in page.decisions] == ["d-3", "d-2"]
        page = await listed(stub, 2, page.next_page_token)
        assert [each.decision_id for each in page.decisions] == ["d-1"]
        assert page.next_page_token == ""
        assert len((await listed(stub)).decisions) == 5


async def test_a_list_of_one_operation(rig: Rig) -> None:
    await rig.decided("d-1")
    record = rig.log.records["org-a"][0]
    embedding = decode_decision(record.payload)
    embedding = replace(embedding, request=replace(embedding.request, operation=Operation.EMBED))
    for number in range(2, 250):
        await rig.log.append(f"d-{number}", embedding, world_of())
    await rig.decided("d-250", "d-251")
    records = rig.log.records["org-a"]
    records[5] = replace(records[5], payload=b"{}")
    async with rig.served() as (stub, _):
        page = await listed(stub, 2, operation=contract_pb2.OPERATION_CHAT)
        assert [each.decision_id for each in page.decisions] == ["d-251", "d-250"]
        page = await listed(stub, 2, page.next_page_token, operation=contract_pb2.OPERATION_CHAT)
        # Nobody knows what a damaged one was over.
        assert [(each.decision_id, each.damaged) for each in page.decisions] == [("d-6", True), ("d-1", False)]
        assert page.next_page_token == ""
        page = await listed(stub, 3, operation=contract_pb2.OPERATION_EMBED)
        assert [each.decision_id for each in page.decisions] == ["d-249", "d-248", "d-247"]
        assert [each.decision_id for each in (await listed(stub, 3)).decisions] == ["d-251", "d-250", "d-249"]


async def test_a_list_tells_what_became_of_decisions(rig: Rig) -> None:
    await rig.decided("d-1", "d-2", "d-3")
    for attempt, decision, service, outcome in (
        ("a-1", "d-1", "one/m", Outcome.FAILED),
        ("a-2", "d-1", "two/m", Outcome.SUCCEEDED),
        ("a-3", "d-1", "one/m", Outcome.OUTRACED),
        ("a-4", "d-2", "one/m", Outcome.FAILED),
        ("a-5", "d-2", "two/m", Outcome.ABORTED),
    ):
        await rig.ledger.open(opening(attempt, decision_id=decision, caller=CALLER, service=service))
        await rig.ledger.close(closing(attempt, outcome=outcome))
    async with rig.served() as (stub, _):
        third, second, first = (await listed(stub)).decisions
    assert (first.outcome, first.outcome_model) == ("succeeded", "two/m")
    assert (second.outcome, second.outcome_model) == ("aborted", "two/m")
    assert (third.outcome, third.outcome_model) == ("", "")


async def chain_of(stub: decision_pb2_grpc.DecisionServiceStub, expect_hash: str = "") -> pb.ChainVerification:
    async with translated_errors("router"):
        events = [e async for e in stub.VerifyChain(pb.VerifyChainRequest(expect_hash=expect_hash), timeout=10)]
    *progress, last = events
    assert {event.WhichOneof("event") for event in progress} <= {"verified"}
    return last.result


async def test_a_chain_is_verified_whole(rig: Rig) -> None:
    await rig.decided(*(f"d-{number}" for number in range(1, 6)))
    await rig.decided("b-1", org_id="org-b")
    records = rig.log.records["org-a"]
    async with rig.served() as (stub, _):
        found = await chain_of(stub, records[2].record_hash)
        assert (found.valid, found.verified, found.expected_found) == (True, 5, True)
        assert (found.head.sequence, found.head.record_hash) == (5, records[4].record_hash)
        assert [found.HasField(name) for name in ("pruned", "broken")] == [False, False]
        del records[4:]
        cut = await chain_of(stub)
        assert (cut.valid, cut.verified, cut.head.sequence) == (True, 4, 4)
        missed = await chain_of(stub, found.head.record_hash)
        assert (missed.valid, missed.expected_found, missed.HasField("broken")) == (False, False, False)
        records[2] = replace(records[2], payload=records[2].payload.replace(b"one/m", b"two/m"))
        found = await chain_of(stub)
        assert (found.valid, found.verified, found.head.sequence) == (False, 2, 2)
        assert (found.broken.decision_id, found.broken.sequence, found.broken.differing_step) == ("d-3", 3, "record")
        assert found.broken.detail


async def test_an_expected_hash_that_is_none_is_refused(rig: Rig) -> None:
    async with rig.served() as (stub, _):
        with pytest.raises(InvalidInput):
            await chain_of(stub, "abc")
        assert (await chain_of(stub)).valid


async def test_an_explanation_tells_with_what_error_a_call_would_be_refused(rig: Rig) -> None:
    async with rig.served() as (stub, _):
        refusals = {}
        for case, request in {
            "one": question(),
            "unknown": question(model="nope/x"),
            "none": question(routing=chat_pb.RoutingOptions(data_class=contract_pb2.DATA_CLASS_RESTRICTED)),
        }.items():
            refusals[case] = (await stub.ExplainRoute(request, timeout=5)).refusal
    assert refusals["one"].reason == ""
    assert refusals["unknown"].reason == "MODEL_UNKNOWN"
    assert "no model 'nope/x'" in refusals["unknown"].message
    assert refusals["none"].reason == "NO_ROUTE"
    assert "What would help" in refusals["none"].message
    assert "nexus route show" not in refusals["none"].message


@pytest.mark.parametrize("token", ["?", "bm9uc2Vuc2U", "LTE", "\u00e9", "MTIz" * 20])
async def test_tokens_that_no_list_gave(rig: Rig, token: str) -> None:
    async with rig.served() as (stub, _):
        with pytest.raises(InvalidInput) as caught:
            await listed(stub, 2, token)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


async def test_a_decision_is_verified_and_a_changed_one_is_not_believed(rig: Rig) -> None:
    await rig.decided("d-1", "d-2")
    steps = [
        "chain",
        "record",
        "snapshot",
        "stored_rules",
        "state",
        "field_state",
        "match",
        "rules",
        "security",
        "traits",
    ]
    steps += ["score", "guarantees", "control"]
    async with rig.served() as (stub, _):
        found = await verify(stub, "d-2")
        assert (found.valid, found.differing_step, found.detail) == (True, "", "")
        assert list(found.checked_steps) == steps
        record = rig.log.records["org-a"][1]
        rig.log.records["org-a"][1] = replace(record, payload=record.payload.replace(b"one/m", b"two/m"))
        found = await verify(stub, "d-2")
        assert (found.valid, found.differing_step, list(found.checked_steps)) == (False, "record", ["chain", "record"])
        assert found.detail
        with pytest.raises(PreconditionFailed) as caught:
            await get(stub, "d-2")
        assert caught.value.reason == "DECISION_DAMAGED"
        changed, whole = (await listed(stub)).decisions
        assert (changed.decision_id, changed.choice, changed.damaged) == ("d-2", "", True)
        assert changed.decision_time == whole.decision_time
        assert (whole.choice, whole.damaged) == ("one/m", False)


async def test_a_decision_that_there_is_not(rig: Rig) -> None:
    async with rig.served() as (stub, _):
        for call in (get, verify):
            with pytest.raises(NotFound) as caught:
                await call(stub, "d-9")
            assert caught.value.reason == "DECISION_UNKNOWN"
            with pytest.raises(InvalidInput):
                await call(stub, "")


async def test_a_log_that_cannot_be_read(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise UpstreamDown("STORAGE_UNAVAILABLE", "The database cannot be used; the log says why.")

    monkeypatch.setattr(rig.log, "get", fail)
    monkeypatch.setattr(rig.log, "listed", fail)
    async with rig.served() as (stub, _):
        for call in (get(stub, "d-1"), verify(stub, "d-1"), listed(stub)):
            with pytest.raises(UpstreamDown):
                await call


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        (("models.use",), {"explain"}),
        (("decisions.read",), {"get", "list", "verify", "verify all"}),
        (("models.read",), set()),
    ],
)
async def test_who_may_do_what(rig: Rig, permissions: tuple[str, ...], allowed: set[str]) -> None:
    await rig.decided("d-1")
    async with rig.served() as (_, served):
        stub = decision_pb2_grpc.DecisionServiceStub(served.channel_as(principal(permissions=permissions)))
        calls = {
            "explain": explained(stub, question()),
            "get": get(stub, "d-1"),
            "list": listed(stub),
            "verify": verify(stub, "d-1"),
            "verify all": chain_of(stub),
        }
        for name, call in calls.items():
            if name in allowed:
                await call
            else:
                with pytest.raises(Forbidden):
                    await call
        stranger = decision_pb2_grpc.DecisionServiceStub(served.channel_as(None))
        with pytest.raises(Unauthenticated):
            await get(stranger, "d-1")


async def test_a_budget_shows_in_the_features(rig: Rig) -> None:
    now = FakeClock().now()
    rig.budgets.statuses = (BudgetStatus(Scope.USER, "user-1", Period.DAY, 1000, 300, 100, now),)
    async with rig.served() as (stub, _):
        assert (await explained(stub, question())).features.budget_left_micro_usd == 600


async def test_what_is_computed_for_a_caller_counts_as_requests_and_takes_no_tokens(rig: Rig) -> None:
    buckets = [Bucket(Scope.USER, "org-a/user-1", unit, 3) for unit in (Unit.REQUESTS, Unit.TOKENS)]
    rig.book = FakeLimitBook(charges=[Charge(bucket, 1 if bucket.unit is Unit.REQUESTS else 5) for bucket in buckets])
    await rig.decided("d-1")
    async with rig.served() as (stub, _):
        await explained(stub, question())
        async with translated_errors("router"):
            await stub.VerifyDecision(pb.VerifyDecisionRequest(decision_id="d-1"), timeout=5)
            assert [event async for event in stub.VerifyChain(pb.VerifyChainRequest(), timeout=5)]
        calls = (
            lambda: stub.ExplainRoute(question(), timeout=5),
            lambda: stub.VerifyDecision(pb.VerifyDecisionRequest(decision_id="d-1"), timeout=5),
            lambda: stub.VerifyChain(pb.VerifyChainRequest(), timeout=5).read(),
            lambda: stub.ReplayDecisions(pb.ReplayDecisionsRequest(recorded=1), timeout=5).read(),
        )
        for call in calls:
            with pytest.raises(QuotaExceeded) as caught:
                async with translated_errors("router"):
                    await call()
            assert caught.value.reason == "RATE_LIMITED"
            assert caught.value.retry_after_s
        # Looking at what is there is free.
        async with translated_errors("router"):
            await stub.GetDecision(pb.GetDecisionRequest(decision_id="d-1"), timeout=5)
