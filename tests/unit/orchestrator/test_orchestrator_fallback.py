"""A model without tool calling answers where those that call tools could not be used: which one, and what is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from orchestrator_fakes import NATIVE, OFFLINE, FakeModels, FakePeers, FakeStore, fails, new_run, says
from test_orchestrator_steps import PROMPTS, FakeStrategy, finished_by, take_turn, work_on

from orchestrator.domain.agent_state import initial_state
from orchestrator.domain.chat import Catalogue, FinishReason
from orchestrator.domain.errors import RunFailure
from orchestrator.domain.events import Warned
from orchestrator.domain.fallback import substitutes
from orchestrator.domain.prompts import OfflineInsteadNote
from orchestrator.domain.routing import CacheMode, DataClass, Routing
from orchestrator.ports.tool_strategy import PlannedCall
from orchestrator.use_cases.prepare_run import PrepareRun, chat_model, unknown_model_message
from orchestrator.use_cases.validate_answer import ValidateAnswer
from shared.errors import NexusError, PreconditionFailed, QuotaExceeded, UpstreamDown

FREE = replace(OFFLINE, free=True)
PAID = replace(OFFLINE, name="paid/plain", demonstration=False)
DOWN = {"scripted/chat": "PROVIDER_UNREACHABLE", "why": "scripted could not be reached (PROVIDER_UNREACHABLE)"}
WHO = "Answered by the small demonstration model local/small"
LIST = "`nexus providers list` shows how the providers are."
BROKEN = "The newest configuration is not in force: providers.yaml line 3: wrong."


def down() -> UpstreamDown:
    return UpstreamDown("ALL_MODELS_FAILED", "No model answered.", metadata=DOWN)


def spent() -> QuotaExceeded:
    return QuotaExceeded("BUDGET_EXHAUSTED", "The organisation budget of the day has 0.00 USD left.")


def refused(reason: str) -> PreconditionFailed:
    return PreconditionFailed(reason, "No.")


def warnings(store: FakeStore) -> list[Warned]:
    return [event.payload for event in store.log["run-1"] if isinstance(event.payload, Warned)]


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def work(store):
    work = await work_on(store)
    yield work
    await work.events.close(flush=False)


@pytest.mark.parametrize(
    ("error", "models", "asked"),
    [
        # Who failed is not asked again by leaving the choice to the router; the demonstration comes last.
        (down(), (NATIVE, FREE, PAID), ["paid/plain", "local/small"]),
        (UpstreamDown("ALL_MODELS_FAILED", "x", metadata={"paid/plain": "x"}), (NATIVE, FREE, PAID), ["local/small"]),
        (down(), (NATIVE, replace(FREE, routable=False)), []),
        # Only what is known to cost nothing.
        (spent(), (NATIVE, FREE, PAID), ["local/small"]),
        (spent(), (NATIVE, PAID), []),
        (refused("PRICE_UNKNOWN"), (NATIVE, FREE), ["local/small"]),
        # The router chooses among those that call no tools.
        (refused("NO_ROUTE"), (NATIVE, FREE, PAID), [""]),
        (refused("UNSUPPORTED_CAPABILITY"), (NATIVE, FREE), [""]),
        (refused("NO_ROUTE"), (NATIVE,), []),
    ],
)
def test_who_may_answer_instead(error: NexusError, models, asked) -> None:
    assert [name for name, _ in substitutes(models, "", error)] == asked


@pytest.mark.parametrize(("error", "again"), [(spent(), False), (refused("UNSUPPORTED_CAPABILITY"), True)])
def test_a_model_that_somebody_chose_has_no_substitute(error: NexusError, again: bool) -> None:
    found = substitutes((NATIVE, FREE), NATIVE.name, error)
    assert [name for name, _ in found] == ([NATIVE.name] if again else [])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (
            down(),
            f"{WHO}, since scripted could not be reached (PROVIDER_UNREACHABLE). {LIST}",
        ),
        (
            spent(),
            f"{WHO}, since money is short: The organisation budget of the day has 0.00 USD left.",
        ),
    ],
)
async def test_who_answers_and_why_is_told_once_and_kept_for_the_run(store, work, error, told) -> None:
    models = FakeModels(fails(error), says("Hello.", model=FREE))
    peers = FakePeers(known_models=(NATIVE, FREE))
    state = await finished_by(take_turn(models, peers), work, initial_state())
    await work.events.flush()
    assert [(request.model, bool(request.tools)) for request in models.requests] == [("", True), ("local/small", False)]
    assert warnings(store)[0] == Warned(error.reason, told)
    assert (state["strategy"], state["model"]) == ("guided", "local/small")
    assert state["answer"] == f"Hello.\n\n{PROMPTS.render(OfflineInsteadNote())}"


async def test_tools_alone_may_answer_instead(store, work) -> None:
    strategy = FakeStrategy(PlannedCall("calculator", '{"expression":"2+2"}'))
    take = take_turn(FakeModels(fails(spent())), FakePeers(known_models=(NATIVE, FREE)), strategy)
    state = await finished_by(take, work, initial_state())
    await work.events.flush()
    assert state["answer"].startswith("done")
    assert warnings(store)[0].message.startswith("Answered by rules and tools alone, since money is short: ")


async def test_when_nobody_answers_each_is_named_with_its_reason(work) -> None:
    local = UpstreamDown("PROVIDER_UNREACHABLE", "The provider 'local' cannot be reached.")
    models = FakeModels(fails(down()), fails(local))
    with pytest.raises(UpstreamDown, match="ALL_MODELS_FAILED") as raised:
        await take_turn(models, FakePeers(known_models=(NATIVE, FREE)))(work, initial_state())
    assert raised.value.message == (
        "No model answered. Nor does local/small answer: The provider 'local' cannot be reached."
    )


async def test_a_substitute_that_fails_is_followed_by_the_next(work) -> None:
    models = FakeModels(fails(down()), fails(UpstreamDown("PROVIDER_ERROR", "Broken.")), says("Hi.", model=FREE))
    state = await take_turn(models, FakePeers(known_models=(NATIVE, FREE, PAID)))(work, initial_state())
    assert [request.model for request in models.requests] == ["", "paid/plain", "local/small"]
    assert state["answer"] == "Hi."


async def test_where_the_router_chose_again_its_last_word_counts(work) -> None:
    models = FakeModels(fails(refused("NO_ROUTE")), fails(spent()))
    with pytest.raises(QuotaExceeded, match="BUDGET_EXHAUSTED"):
        await take_turn(models, FakePeers(known_models=(NATIVE, PAID)))(work, initial_state())


async def test_a_model_that_somebody_chose_fails_with_its_own_word_alone(store) -> None:
    work = await work_on(store, model=NATIVE.name)
    models = FakeModels(fails(refused("NO_ROUTE")))
    with pytest.raises(PreconditionFailed) as raised:
        await take_turn(models, FakePeers(known_models=(NATIVE, FREE)))(work, {**initial_state(), "model": NATIVE.name})
    assert raised.value.message == "No."
    await work.events.close(flush=False)


async def test_a_budget_stays_a_refusal_where_nothing_is_free(work) -> None:
    with pytest.raises(QuotaExceeded, match="BUDGET_EXHAUSTED"):
        await take_turn(FakeModels(fails(spent())), FakePeers(known_models=(NATIVE, PAID)))(work, initial_state())


async def test_that_only_the_demonstration_is_left_of_what_was_configured_is_told(store, work) -> None:
    state = await PrepareRun(FakePeers(known_models=(FREE,), troubles=(BROKEN,)), PROMPTS)(work)
    await work.events.flush()
    assert warnings(store) == [
        Warned(
            "CONFIGURATION_PROBLEM",
            f"Only the small offline demonstration model local/small can be used. {BROKEN}",
        )
    ]
    assert state["warned"] == ["CONFIGURATION_PROBLEM"]


@pytest.mark.parametrize(("models", "model"), [((NATIVE, FREE), ""), ((NATIVE, FREE), "local/small")])
async def test_troubles_are_not_told_where_nobody_suffers_from_them(store, models, model) -> None:
    work = await work_on(store, model=model)
    state = await PrepareRun(FakePeers(known_models=models, troubles=(BROKEN,)), PROMPTS)(work)
    await work.events.close(flush=True)
    assert ("warned" in state, warnings(store)) == (False, [])


def test_without_any_model_the_file_and_line_are_named() -> None:
    with pytest.raises(RunFailure) as raised:
        chat_model(Catalogue((), (BROKEN,)), "")
    assert raised.value.failure.message == f"There is no chat model that can be used. {BROKEN}"
    with pytest.raises(RunFailure) as raised:
        chat_model(Catalogue(()), "")
    assert "Add a provider to config/providers.yaml." in raised.value.failure.message
    assert unknown_model_message(Catalogue((NATIVE,), (BROKEN,)), "x/y").endswith(BROKEN)


async def test_every_model_call_of_a_run_is_routed_as_its_caller_asked(store) -> None:
    routing = Routing("deep", DataClass.RESTRICTED, ("eu",), 5, CacheMode.EXACT)
    work = await work_on(store, routing=routing)
    models = FakeModels(fails(refused("NO_ROUTE")), says("Hello.", model=FREE))
    await take_turn(models, FakePeers(known_models=(NATIVE, FREE)))(work, initial_state())
    assert [request.routing for request in models.requests] == [routing, routing]
    assert new_run().routing == Routing()
    await work.events.close(flush=False)


async def test_an_answer_that_is_all_reasoning_says_what_to_raise(work) -> None:
    state = {**initial_state(), "finish_reason": FinishReason.LENGTH.value, "turns": [{"text": "", "calls": []}]}
    with pytest.raises(RunFailure) as raised:
        ValidateAnswer()(work, state)
    assert raised.value.failure.reason == "EMPTY_ANSWER"
    assert "NEXUS_ORCHESTRATOR_MAX_OUTPUT_TOKENS" in raised.value.failure.message
