"""Deciding over a call: what is read of it, what is written down, and what is said when nothing can be chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
from router_fakes import FakeRegistry, contract_of, price_of, provider_spec, service_of
from router_money_fakes import FakeLimitBook, MemoryLedger

from provider_router.adapters.affinity_memory import MemoryAffinity
from provider_router.adapters.call_opener_stepwise import StepwiseCallOpener
from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.domain.calls.chat import ChatRequest, Message, Role, Tool, ToolCall
from provider_router.domain.calls.chat_call import ChatCall, RoutingOptions
from provider_router.domain.contracts.contract import (
    Capabilities,
    Constraints,
    DataClass,
    Operation,
    Price,
    Privacy,
    Rates,
)
from provider_router.domain.contracts.service import Service, Suspended
from provider_router.domain.decisions.decision_document import decode_decision
from provider_router.domain.decisions.route_request import Caller, Comparison, RouteRequest, TraitConstraint
from provider_router.domain.decisions.routed import Routed
from provider_router.domain.decisions.service_state import ServiceState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.money.budget import BudgetStatus, Period, Scope
from provider_router.domain.rulebook.rules import Requirement, Services, When
from provider_router.use_cases.decide_route import DecideRoute
from provider_router.use_cases.explain_route import ExplainRoute
from provider_router.use_cases.read_features import ReadFeatures
from provider_router.use_cases.see_world import SeeWorld
from shared.errors import InvalidInput, NexusError, PreconditionFailed, QuotaExceeded
from shared.testing.fakes import FakeClock, SequenceIds

CALLER = Caller("org-a", "user-1", "", ("member",))
CHAT = frozenset({Operation.CHAT})
CLEARED = Privacy(DataClass.CONFIDENTIAL, frozenset({"eu"}))


def chats(name: str, **changes: object) -> Service:
    capabilities = changes.pop("capabilities", None) or Capabilities(
        CHAT, tool_calling=True, json_schema=True, context_length=10_000
    )
    provider = provider_spec(name.partition("/")[0])
    contract = contract_of(name)
    return Service(replace(contract, **{"capabilities": capabilities, "privacy": CLEARED, **changes}), provider)


@dataclass
class Rig:
    """Use cases over the real engine and fake ports."""

    services: tuple[Service, ...] = (chats("one/m"), chats("two/m"), chats("two/n"))
    chain: tuple[str, ...] = ()
    suspended: Mapping[str, Suspended] = field(default_factory=dict)
    log: FakeDecisionLog = field(default_factory=FakeDecisionLog)
    rules: FakeRuleBook = field(default_factory=FakeRuleBook)
    board: FakeStateBoard = field(default_factory=FakeStateBoard)
    counter: FakeTokenCounter = field(default_factory=FakeTokenCounter)
    estimator: FakeEstimator = field(default_factory=FakeEstimator)
    budgets: FakeBudgets = field(default_factory=FakeBudgets)
    affinity: MemoryAffinity = field(default_factory=MemoryAffinity)

    def explain(self) -> ExplainRoute:
        registry = FakeRegistry(replace(registry_of(*self.services, chat_chain=self.chain), suspended=self.suspended))
        features = ReadFeatures(self.counter, self.estimator, self.budgets, self.affinity)
        return ExplainRoute(SeeWorld(registry, self.rules, self.board), features, DecisionEngine(), FakeClock())

    def decide(self, text: str = "Hi", chat: ChatRequest | None = None, **options: object) -> Routed:
        request = chat or ChatRequest((Message(Role.USER, text),))
        return asyncio.run(self._decided(ChatCall(CALLER, request, RoutingOptions(**options))))

    async def _decided(self, call: ChatCall) -> Routed:
        limiter = MemoryRateLimiter(FakeClock())
        opener = StepwiseCallOpener(self.log, limiter, MemoryLedger())
        before = len(self.log.records.get("org-a", ()))
        routed = await DecideRoute(self.explain(), FakeLimitBook(), opener, SequenceIds("d"))(call)
        assert len(self.log.records.get("org-a", ())) == before
        await opener.open(routed.entry, None)
        return routed

    def refused(self, kind: type[NexusError], **options: object) -> NexusError:
        with pytest.raises(kind) as caught:
            self.decide(**options)
        return caught.value

    def features(self, **options: object) -> RouteRequest:
        return self.decide(**options).decision.request


def test_a_decision_is_written_down_with_the_entry_of_its_call() -> None:
    rig = Rig()
    routed = rig.decide()
    (record,) = rig.log.records["org-a"]
    assert (record.decision_id, routed.decision_id) == ("d-0001", "d-0001")
    assert decode_decision(record.payload) == routed.decision
    assert routed.decision.choice in routed.services
    assert len(rig.log.documents) == 3


def test_an_explanation_leaves_no_trace() -> None:
    rig = Rig()
    call = ChatCall(CALLER, ChatRequest((Message(Role.USER, "Hi"),)))
    explained = asyncio.run(rig.explain()(call))
    assert explained.decision == rig.decide().decision
    rig.log.records.clear()
    asyncio.run(rig.explain()(call))
    assert rig.log.records == {}


@pytest.mark.parametrize(
    ("asked", "tier", "read"),
    [
        ("", "", {"model": "", "provider": "", "chain": ("two/m", "one/m")}),
        ("auto", "", {"model": "", "provider": "", "chain": ()}),
        ("", "fast", {"model": "", "provider": "", "chain": ()}),
        ("two/", "", {"model": "", "provider": "two", "chain": ()}),
        ("one/m", "", {"model": "one/m", "provider": "", "chain": ()}),
        ("one/m", "deep", {"model": "one/m", "provider": "", "chain": ()}),
    ],
)
def test_what_a_name_asks_for(asked: str, tier: str, read: dict[str, object]) -> None:
    features = Rig(chain=("two/m", "one/m")).features(model=asked, tier=tier)
    assert {name: getattr(features, name) for name in read} == read
    assert features.tier == tier


def test_the_chain_is_followed_in_its_order() -> None:
    routed = Rig(chain=("two/m", "one/m")).decide()
    assert [link.service for link in routed.decision.control.chain] == ["two/m", "one/m"]


def test_features_of_a_chat() -> None:
    chat = ChatRequest(
        (
            Message(Role.SYSTEM, "Be brief."),
            Message(Role.USER, "Grüße"),
            Message(Role.ASSISTANT, "", (ToolCall("c", "add", '{"x":1}'),)),
            Message(Role.TOOL, "2", tool_call_id="c"),
        ),
        tools=(Tool("add", "Adds.", {"type": "object"}),),
        response_schema={"type": "string"},
        max_output_tokens=77,
    )
    trait = TraitConstraint("reasoning", Comparison.EQUAL, (True,))
    service = chats("one/m", traits={"reasoning": True}, prices=price_of(1))
    features = Rig((service,)).features(
        chat=chat,
        data_class=DataClass.PUBLIC,
        residency=frozenset({"eu"}),
        traits=(trait,),
        max_cost_micro_usd=9,
        timeout_ms=90_000,
    )
    assert features == RouteRequest(
        CALLER,
        needs_tools=True,
        needs_json_schema=True,
        input_tokens=15,
        max_output_tokens=77,
        output_tokens=77,
        payload_bytes=9 + 7 + (1 + 3 + 7) + (1 + 1) + (3 + 5 + 17) + 17,
        data_class=DataClass.PUBLIC,
        residency=frozenset({"eu"}),
        traits=(trait,),
        max_cost_micro_usd=9,
        deadline_ms=90_000,
        estimate=FakeEstimator().answer,
    )


def test_who_says_nothing_has_the_data_class_of_the_rules() -> None:
    rig = Rig(rules=FakeRuleBook(rules_of(default_data_class=DataClass.CONFIDENTIAL)))
    assert rig.features().data_class is DataClass.CONFIDENTIAL
    assert rig.features(data_class=DataClass.PUBLIC).data_class is DataClass.PUBLIC


@pytest.mark.parametrize(
    ("asked", "counted"), [("", "two/m"), ("auto", "one/m"), ("two/", "two/m"), ("two/n", "two/n"), ("one/x", "one/m")]
)
def test_tokens_are_counted_once_for_the_likeliest_service(asked: str, counted: str) -> None:
    rig = Rig(chain=("two/m",))
    try:
        rig.decide(model=asked)
    except InvalidInput:
        assert asked == "one/x"
    assert rig.counter.asked_for == [counted]


WHENS = [When(task_classes=frozenset({"code"})), When(min_complexity_ppm=1), When(max_complexity_ppm=9)]


def test_a_named_model_needs_no_estimate() -> None:
    rig = Rig()
    rig.decide(model="one/m")
    assert rig.estimator.asked == 0
    rig.decide(model="one/")
    assert rig.estimator.asked == 1


@pytest.mark.parametrize("when", WHENS)
def test_unless_a_rule_asks_how_hard_its_task_is(when: When) -> None:
    rule = Requirement("only-one", 1, when, Services(names=("one/*",)))
    rig = Rig(rules=FakeRuleBook(rules_of(requirements=(rule,))))
    rig.decide(model="one/m")
    assert rig.estimator.asked == 1


@pytest.mark.parametrize("reads", ["task_class", "complexity"])
def test_or_a_policy_does(reads: str) -> None:
    rig = Rig(rules=FakeRuleBook(rules_of(policy_reads=frozenset({reads}))))
    rig.decide(model="one/m")
    assert rig.estimator.asked == 1


def test_a_conversation_remembers_its_service() -> None:
    rig = Rig()
    rig.affinity.note("org-a", "c-1", "two/m")
    rig.affinity.note("org-b", "c-2", "two/m")
    assert rig.features(conversation_id="c-1").affinity == "two/m"
    assert rig.features(conversation_id="c-2").affinity == ""
    assert rig.features().affinity == ""


def test_affinity_is_bounded_and_forgets_what_was_used_longest_ago() -> None:
    affinity = MemoryAffinity(most=2)
    for conversation, service in (("c-1", "a/m"), ("c-2", "b/m"), ("c-1", "c/m"), ("c-3", "d/m"), ("", "e/m")):
        affinity.note("org-a", conversation, service)
    assert [affinity.last("org-a", each) for each in ("c-1", "c-2", "c-3", "")] == ["c/m", "", "d/m", ""]


def budget(left: int, scope: Scope = Scope.USER) -> BudgetStatus:
    reset = datetime(2026, 11, 21, tzinfo=UTC)
    return BudgetStatus(scope, "user-1", Period.DAY, 1_000, 1_000 - left, 0, reset)


def test_the_tightest_budget_counts() -> None:
    priced = (chats("one/m", prices=price_of(1)),)
    rig = Rig(priced, budgets=FakeBudgets((budget(900), budget(400), budget(700))))
    assert rig.features().budget_left_micro_usd == 400
    assert Rig().features().budget_left_micro_usd is None


def test_the_length_of_an_answer_is_expected_by_the_task() -> None:
    rig = Rig()
    code = rig.features().output_tokens
    rig.estimator.answer = replace(rig.estimator.answer, task_class="classification")
    assert rig.features().output_tokens < code
    rig.estimator.answer = replace(rig.estimator.answer, task_class="translation", complexity_ppm=500_000)
    assert rig.features(text="x" * 3000).output_tokens == 3000


@settings(max_examples=50)
@given(
    st.text(min_size=8),
    st.text(min_size=8),
    st.text(min_size=8),
    st.dictionaries(st.text(min_size=8), st.text(min_size=8), max_size=2),
)
def test_no_text_of_a_request_gets_into_a_record(system: str, user: str, tool: str, schema: dict[str, str]) -> None:
    marked = [f"{text}\u2603\u2603" for text in (system, user, tool)]
    chat = ChatRequest(
        (
            Message(Role.SYSTEM, marked[0]),
            Message(Role.USER, marked[1]),
            Message(Role.ASSISTANT, marked[0], (ToolCall("c\u2603", marked[2], marked[1]),)),
            Message(Role.TOOL, marked[2], tool_call_id="c\u2603"),
        ),
        tools=(Tool(marked[2], marked[1], {**schema, "\u2603": marked[0]}),),
        response_schema={**schema, "\u2603": marked[0]},
        stop=(marked[0],),
    )
    rig = Rig()
    rig.decide(chat=chat)
    payload = rig.log.records["org-a"][0].payload
    # The marks are escaped in no canonical form: one of them would show, whatever part of a text came through.
    assert "\u2603".encode() not in payload
    assert b"\\u" not in payload
    for document in rig.log.documents.values():
        assert "\u2603".encode() not in document


def without(**changes: object) -> tuple[Service, ...]:
    return (chats("one/m", **changes), chats("two/m", **changes))


NARROW = Capabilities(CHAT, context_length=10_000)
TOOLS = ChatRequest((Message(Role.USER, "Hi"),), tools=(Tool("t", "", {}),))
SCHEMA = ChatRequest((Message(Role.USER, "Hi"),), response_schema={})
DEAR = (Price(datetime(2020, 1, 1, tzinfo=UTC).date(), Rates(10**9, 10**9)),)


@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize(
    ("services", "options", "reason"),
    [
        (without(capabilities=NARROW), {"chat": TOOLS}, "UNSUPPORTED_CAPABILITY"),
        (without(capabilities=NARROW), {"chat": SCHEMA}, "UNSUPPORTED_CAPABILITY"),
        (without(), {"text": "x" * 20_000}, "CONTEXT_TOO_LONG"),
        (without(), {"data_class": DataClass.RESTRICTED}, "NO_ROUTE"),
        (without(), {"residency": frozenset({"ch"})}, "NO_ROUTE"),
        (without(), {"traits": (TraitConstraint("fun", Comparison.EQUAL, (True,)),)}, "NO_ROUTE"),
        (without(prices=DEAR), {"max_cost_micro_usd": 1}, "NO_ROUTE"),
        (without(constraints=Constraints(max_payload_bytes=1)), {}, "NO_ROUTE"),
    ],
)
def test_why_nothing_can_be_chosen(
    services: tuple[Service, ...], options: dict[str, object], reason: str, *, named: bool
) -> None:
    rig = Rig(services)
    error = rig.refused(NexusError, **options, **({"model": "one/m"} if named else {}))
    assert error.reason == reason
    assert error.metadata["decision_id"] == "d-0001"
    (record,) = rig.log.records["org-a"]
    assert decode_decision(record.payload).choice == ""


def test_a_mixture_of_reasons_names_the_models_and_says_what_would_help() -> None:
    rig = Rig((chats("a/m", privacy=Privacy()), chats("b/m", privacy=Privacy()), chats("c/m", capabilities=NARROW)))
    error = rig.refused(PreconditionFailed, chat=TOOLS)
    assert error.reason == "NO_ROUTE"
    assert "a/m, b/m at security (CLEARANCE)" in error.message
    assert "c/m at match (TOOL_CALLING)" in error.message
    assert "offer no tools" in error.message
    assert "nexus route show d-0001" in error.message
    assert (error.metadata["CLEARANCE"], error.metadata["TOOL_CALLING"]) == ("2", "1")


def test_contracts_that_are_suspended_are_named_where_nothing_is_found() -> None:
    own = Suspended(chats("gone/own").contract, "The provider 'gone' is not configured any more.")
    services = (chats("a/m", privacy=Privacy()), chats("c/m", capabilities=NARROW))
    rig = Rig(services, suspended={"gone/own": own})
    told = "Suspended contracts: gone/own (The provider 'gone' is not configured any more)."
    assert told in rig.refused(PreconditionFailed, chat=TOOLS).message
    assert told in rig.refused(InvalidInput, model="gone/own").message


def test_a_chain_speaks_of_its_own_services_only() -> None:
    rig = Rig((chats("a/m"), chats("b/m", capabilities=NARROW)), chain=("b/m",))
    error = rig.refused(InvalidInput, chat=TOOLS)
    assert (error.reason, error.metadata["model"]) == ("UNSUPPORTED_CAPABILITY", "b/m")


def test_unknown_names() -> None:
    rig = Rig()
    error = rig.refused(InvalidInput, model="one/x")
    assert (error.reason, error.metadata["model"]) == ("MODEL_UNKNOWN", "one/x")
    assert "one/m, two/m, two/n" in error.message
    assert rig.refused(InvalidInput, model="nonsense").reason == "MODEL_UNKNOWN"
    assert rig.refused(InvalidInput, model="three/").reason == "PROVIDER_UNKNOWN"
    error = rig.refused(InvalidInput, tier="huge")
    assert error.reason == "TIER_UNKNOWN"
    assert all(tier in error.message for tier in ("fast", "balanced", "deep"))


def test_services_of_others_do_not_exist() -> None:
    rig = Rig((chats("one/m", org_id="org-b"), chats("two/m", org_id="org-b")))
    error = rig.refused(InvalidInput, model="one/m")
    assert error.reason == "MODEL_UNKNOWN"
    assert "two/m" not in error.message
    assert rig.refused(PreconditionFailed).reason == "NO_MODEL_CONFIGURED"
    assert b"two/m" not in rig.log.records["org-a"][-1].payload


def test_a_model_that_does_not_chat() -> None:
    rig = Rig((service_of("one/e", chat=False, embeddings=True), chats("two/m")))
    error = rig.refused(InvalidInput, model="one/e")
    assert error.reason == "UNSUPPORTED_CAPABILITY"
    assert "does not support chat" in error.message
    assert rig.refused(InvalidInput, model="one/").reason == "PROVIDER_UNKNOWN"


def test_a_key_that_is_not_there() -> None:
    rig = Rig(
        board=FakeStateBoard(system_state(dict.fromkeys(("one/m", "two/m", "two/n"), ServiceState(configured=False))))
    )
    for options in ({"model": "one/m"}, {}):
        error = rig.refused(PreconditionFailed, **options)
        assert (error.reason, error.metadata["provider"]) == ("PROVIDER_NOT_CONFIGURED", "one")


def test_a_key_that_was_refused() -> None:
    refused = ServiceState(configured=False, keys_refused=True)
    rig = Rig(board=FakeStateBoard(system_state(dict.fromkeys(("one/m", "two/m", "two/n"), refused))))
    for options in ({"model": "one/m"}, {}):
        error = rig.refused(PreconditionFailed, **options)
        assert (error.reason, error.metadata["provider"]) == ("PROVIDER_REFUSED_KEY", "one")
        assert "its provider refused its key" in error.message


def test_a_budget_that_is_too_small_says_when_it_starts_anew() -> None:
    rig = Rig(without(prices=DEAR), budgets=FakeBudgets((budget(3),)))
    error = rig.refused(QuotaExceeded)
    assert error.reason == "BUDGET_EXHAUSTED"
    assert error.retry_after_s == timedelta(hours=12).total_seconds()
    assert (error.metadata["scope"], error.metadata["reset_time"]) == ("user", "2026-11-21T00:00:00Z")


DAY = budget(0)
MONTH = BudgetStatus(Scope.ORGANISATION, "org-a", Period.MONTH, 1_000, 1_000, 0, datetime(2026, 12, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("budgets", "named"),
    [
        # Both are exhausted: what starts anew last is named, since nothing works before.
        ((DAY, MONTH), "month"),
        ((MONTH, DAY), "month"),
        ((replace(DAY, spent_micro_usd=9_000), MONTH), "month"),
        # Something is left in both, and too little in both.
        ((budget(1), replace(MONTH, spent_micro_usd=998)), "month"),
        # Only one of them is short.
        ((budget(1), replace(MONTH, limit_micro_usd=10**9)), "day"),
        ((budget(900), MONTH), "month"),
    ],
)
def test_of_several_budgets_the_short_one_that_starts_anew_last_is_named(budgets, named: str) -> None:
    rig = Rig(without(prices=DEAR), budgets=FakeBudgets(budgets))
    error = rig.refused(QuotaExceeded)
    assert error.metadata["period"] == named
    assert int(error.metadata["short_micro_usd"]) > 0


def test_prices_that_nobody_knows_are_named_where_a_budget_applies() -> None:
    budgets = FakeBudgets((budget(10**9),))
    error = Rig(budgets=budgets).refused(PreconditionFailed)
    assert error.reason == "PRICE_UNKNOWN"
    assert "The prices of one/m, two/m, two/n are not known, and a budget or a cost limit applies" in error.message
    assert "write `prices` (0 for free) into the contract of 'one/m', 'two/m', 'two/n'" in error.message
    named = Rig(budgets=budgets).refused(PreconditionFailed, model="two/m")
    assert named.message.startswith("The price of 'two/m' is not known")
    assert named.metadata["model"] == "two/m"
    limited = Rig().refused(PreconditionFailed, max_cost_micro_usd=5)
    assert limited.reason == "PRICE_UNKNOWN"
    mixed = Rig((chats("one/m"), chats("two/m", privacy=Privacy(), prices=price_of(1))), budgets=budgets)
    message = mixed.refused(PreconditionFailed).message
    assert "into the contract of 'one/m', as docs/pricing.md shows" in message
    free = Rig((chats("one/m"), chats("two/m", prices=price_of(0))), budgets=budgets)
    assert free.decide().decision.choice == "two/m"


def test_a_budget_that_is_too_small_also_names_the_models_whose_price_nobody_knows() -> None:
    budgets = FakeBudgets((budget(3),))
    contracts = (chats("one/m"), chats("two/m", prices=DEAR), chats("two/n"))
    error = Rig(contracts, budgets=budgets).refused(QuotaExceeded)
    assert error.reason == "BUDGET_EXHAUSTED"
    sentence = "The prices of one/m, two/n are not known, so no budget allows a call: write `prices` (0 for free)"
    assert f"ask for a larger budget. {sentence} into the contract of 'one/m', 'two/n'" in error.message
    named = Rig(contracts, budgets=budgets).refused(QuotaExceeded, model="two/m")
    assert named.message.endswith("ask for a larger budget.")


def test_a_model_that_refuses_a_parameter_is_for_requests_without_it() -> None:
    fixed = {"traits": {"temperature": False, "stop": False}}
    rig = Rig((chats("one/m", **fixed), chats("two/m")))
    messages = (Message(Role.USER, "Hi"),)
    for parameter in ({"temperature": 0.0}, {"stop": ("END",)}):
        ranked = rig.decide(chat=ChatRequest(messages, **parameter)).decision.ranked
        assert [each.service for each in ranked] == ["two/m"]
    assert len(rig.decide(chat=ChatRequest(messages)).decision.ranked) == 2
    alone = Rig((chats("one/m", **fixed),))
    error = alone.refused(InvalidInput, chat=ChatRequest(messages, temperature=1.0, stop=("END",)))
    assert error.reason == "UNSUPPORTED_CAPABILITY"
    assert "takes no stop, temperature" in error.message


def test_nothing_configured() -> None:
    registry_only_embeds = Rig((service_of("one/e", chat=False, embeddings=True),))
    assert registry_only_embeds.refused(PreconditionFailed).reason == "NO_MODEL_CONFIGURED"
    assert registry_only_embeds.refused(PreconditionFailed, model="auto").reason == "NO_MODEL_CONFIGURED"


def test_messages_that_make_no_sense_are_refused_before_anything_is_read() -> None:
    rig = Rig()
    error = rig.refused(InvalidInput, chat=ChatRequest((Message(Role.USER, ""),)))
    assert error.reason == "INVALID_MESSAGES"
    assert rig.counter.asked_for == []
    assert rig.log.records == {}
