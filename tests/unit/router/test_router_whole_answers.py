"""Answers that a provider gives in one piece, and answers in the provider's own words."""

from __future__ import annotations

from dataclasses import replace

import pytest
from router_answer_rig import Rig
from router_fakes import QUESTION, FakeChatModel, service_of

from provider_router.domain.calls.chat import CallersBody, FinishReason, Reasoning
from provider_router.domain.calls.chat_call import CacheMode, ChatCall, OnBreak, RoutingOptions
from provider_router.domain.calls.events import Completed, Finished, Relayed, TextDelta, ToolCallDelta
from provider_router.domain.calls.fitting import fitted
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.dialect import Dialect, dialect_traits
from provider_router.domain.contracts.provider import ProviderType
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure
from shared.errors import InvalidInput

WHOLE = replace(QUESTION, whole=True)
SLOW = failure(Reason.PROVIDER_TIMEOUT, "Too slow.")


async def test_a_silent_provider_of_a_whole_answer_leaves_half_the_time_to_the_next_one() -> None:
    silent, other = FakeChatModel([SLOW]), FakeChatModel()
    rig = Rig({"one/m": silent, "two/m": other}, tries=1)
    await rig.events(WHOLE)
    assert [limits.total_ms for limits in silent.limits] == [30_000]
    assert [limits.total_ms for limits in other.limits] == [60_000]


async def test_the_time_to_a_whole_answer_is_no_time_to_a_first_token() -> None:
    rig = Rig({"one/m": FakeChatModel()})
    await rig.events(WHOLE)
    assert rig.rows[0].closing.first_token_ms is None
    await rig.events(QUESTION)
    assert rig.rows[1].closing.first_token_ms == 0


async def test_a_whole_answer_is_not_raced_for_being_late() -> None:
    rig = Rig({"one/m": FakeChatModel(), "two/m": FakeChatModel()}, hedge_after_ms=1)
    await rig.events(WHOLE)
    assert len(rig.rows) == 1


async def test_what_is_relayed_is_counted_by_what_the_router_understood_of_it() -> None:
    said = (TextDelta("one two "), TextDelta("three"))
    model = FakeChatModel([Relayed(b"data: 1\n\n", said), Relayed(b"data: 2\n\n"), Finished(FinishReason.STOP, None)])
    rig = Rig({"one/m": model})
    events = await rig.events()
    assert events[1:3] == [Relayed(b"data: 1\n\n", said), Relayed(b"data: 2\n\n")]
    assert rig.rows[0].closing.usage.output_tokens == 3


async def test_the_rest_of_a_relayed_answer_comes_with_its_end_and_after_its_settlement() -> None:
    call = ToolCallDelta(0, "c", "f", "{}")
    end = Finished(FinishReason.TOOL_CALLS, TokenUsage(1, 1), stop_text="x", wire=b"data: end\n\n")
    rig = Rig({"one/m": FakeChatModel([Relayed(b"", (call,)), end])})
    events = await rig.events()
    assert events[-1] == Completed(FinishReason.TOOL_CALLS, TokenUsage(1, 1), 3, stop_text="x", wire=b"data: end\n\n")
    assert rig.outcomes() == [("one/m", "succeeded", "")]


ASKS_MUCH = [
    replace(QUESTION, choices=2),
    replace(QUESTION, logprobs=0),
    replace(QUESTION, body=CallersBody(Dialect.OPENAI_CHAT, {}, foreign=("min_p",))),
]


@pytest.mark.parametrize("request_", ASKS_MUCH)
async def test_nobody_can_go_on_with_what_only_a_provider_can_say(request_) -> None:
    rig = Rig({"one/m": FakeChatModel()})
    with pytest.raises(InvalidInput) as raised:
        await rig.events(request_, on_break=OnBreak.CONTINUE)
    assert raised.value.reason == Reason.UNSUPPORTED_CAPABILITY
    assert not rig.rows


@pytest.mark.parametrize("request_", ASKS_MUCH)
def test_the_cache_does_not_stand_between_a_caller_and_a_providers_own_words(request_) -> None:
    cached = RoutingOptions(cache=CacheMode.EXACT)
    caller = Caller("org", "user")
    assert ChatCall(caller, request_, cached).is_relayed
    assert not ChatCall(caller, QUESTION, cached).is_relayed
    assert not ChatCall(caller, QUESTION, RoutingOptions(on_break=OnBreak.CONTINUE)).is_relayed
    assert ChatCall(caller, QUESTION).is_relayed


@pytest.mark.parametrize(
    "foreign", ["tools.web_search", "mcp_servers", "advisor_20260301", "code_execution_20250825", "file_id", "plugins"]
)
def test_a_provider_acts_for_callers_only_where_its_contract_says_so(foreign: str) -> None:
    request = replace(QUESTION, body=CallersBody(Dialect.OPENAI_CHAT, {}, foreign=("min_p", foreign)))
    assert "provider_tools" in request.parameters
    assert dialect_traits(ProviderType.OPENAI_COMPATIBLE, {})["provider_tools"] is False
    assert dialect_traits(ProviderType.OPENAI_COMPATIBLE, {"provider_tools": True})["provider_tools"] is True
    service = service_of("one/m")
    refusing = replace(service, contract=replace(service.contract, traits={"provider_tools": False}))
    assert fitted(request, service).request.body is request.body
    dropping = fitted(request, refusing)
    assert dropping.request.body is None
    # What it is, and no more: the trait is no word of the caller's.
    assert dropping.dropped == tuple(sorted(("min_p", foreign)))


def test_the_local_model_gives_one_answer_unless_its_contract_says_otherwise() -> None:
    assert dialect_traits(ProviderType.LOCAL, {})["n"] is False
    assert dialect_traits(ProviderType.LOCAL, {"n": True})["n"] is True
    assert "n" not in dialect_traits(ProviderType.OPENAI_COMPATIBLE, {})


def test_fields_that_have_no_such_meaning_need_no_leave() -> None:
    request = replace(QUESTION, body=CallersBody(Dialect.OPENAI_CHAT, {}, foreign=("min_p", "chat_template_kwargs")))
    assert "provider_tools" not in request.parameters


@pytest.mark.parametrize("off", [Reasoning(), Reasoning("none"), Reasoning(budget_tokens=0)])
def test_who_asks_a_model_not_to_think_is_content_with_one_that_cannot(off: Reasoning) -> None:
    assert "reasoning" not in replace(QUESTION, reasoning=off).parameters
    assert "reasoning" in replace(QUESTION, reasoning=Reasoning("low")).parameters
