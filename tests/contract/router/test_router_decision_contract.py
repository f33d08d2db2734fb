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
)
from router_fakes import FakeRegistry, contract_of, price_of, provider_spec
from router_money_fakes import MemoryLedger, closing, opening

from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2_grpc
from protos.gen.nexus.router.v1 import decision_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2 as chat_pb
from provider_router.adapters.affinity_memory import MemoryAffinity
from provider_router.domain.calls.chat import ChatRequest, Message, Role
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.contracts.contract import Capabilities, DataClass, Operation, Privacy
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.money.budget import BudgetStatus, Period, Scope
from provider_router.servicer.decision_servicer import DecisionServicer, DecisionUseCases
from provider_router.use_cases.decide_route import DecideRoute
from provider_router.use_cases.explain_route import ExplainRoute
from provider_router.use_cases.get_decision import GetDecision
from provider_router.use_cases.list_decisions import ListDecisions
from provider_router.use_cases.read_features import ReadFeatures
from provider_router.use_cases.see_world import SeeWorld
from provider_router.use_cases.verify_decision import VerifyDecision
from shared.client import translated_errors
from shared.errors import (
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
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
            decide = DecideRoute(self.explain(), self.log, lambda made=decision_id: made)
            await decide(ChatCall(replace(CALLER, org_id=org_id), ChatRequest((Message(Role.USER, "Hi"),))))

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[tuple[decision_pb2_grpc.DecisionServiceStub, Served], None]:
        use_cases = DecisionUseCases(
            explain=self.explain(),
            get=GetDecision(self.log, self.ledger),
            page=ListDecisions(self.log),
            verify=VerifyDecision(self.log, DecisionEngine),
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
    stub: decision_pb2_grpc.DecisionServiceStub, size: int = 0, token: str = ""
) -> pb.ListDecisionsResponse:
    async with translated_errors("router"):
        request = pb.ListDecisionsRequest(page_size=size, page_token=token)
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


@pytest.mark.parametrize("token", ["?", "bm9uc2Vuc2U", "LTE", "\u00e9", "MTIz" * 20])
async def test_tokens_that_no_list_gave(rig: Rig, token: str) -> None:
    async with rig.served() as (stub, _):
        with pytest.raises(InvalidInput) as caught:
            await listed(stub, 2, token)
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


async def test_a_decision_is_verified_and_a_changed_one_is_not_believed(rig: Rig) -> None:
    await rig.decided("d-1", "d-2")
    steps = ["chain", "record", "snapshot", "rules", "state", "field_state", "match", "rules", "security", "traits"]
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
        assert (changed.decision_id, changed.choice, whole.choice) == ("d-2", "", "one/m")


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
    [(("models.use",), {"explain"}), (("decisions.read",), {"get", "list", "verify"}), (("models.read",), set())],
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
