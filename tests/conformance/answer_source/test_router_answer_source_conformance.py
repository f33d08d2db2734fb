"""What every `AnswerSource` holds: the router's own runtime, a cache in front of it, and the fake that stands in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass

import pytest
from router_answer_rig import CALLER, Rig
from router_cache_fakes import FakeAnswers, FakeLocalEmbedder, FakeRuleBook, RecordingCacheObserver
from router_fakes import QUESTION, FakeChatModel, FakeRegistry

from provider_router.adapters.response_cache_memory import MemoryResponseCache
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.chat_call import CacheMode, ChatCall, RoutingOptions
from provider_router.domain.calls.events import Completed, Finished, Started, TextDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from provider_router.ports.answer_source import AnswerSource
from provider_router.use_cases.answer_from_cache import AnswerFromCache, CacheParts
from shared.errors import NexusError

DOWN = failure(Reason.PROVIDER_ERROR, "x")
SCENARIOS: dict[str, list[object]] = {
    "text": [TextDelta("Hello "), TextDelta("there"), Finished(FinishReason.STOP, TokenUsage(10, 2))],
    "tools": [
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(0, "", "", "{}"),
        Finished(FinishReason.TOOL_CALLS, None),
    ],
    "down": [DOWN],
    "cut": [TextDelta("Hel"), DOWN],
    "endless": [TextDelta("x"), ...],
}


@dataclass
class Case:
    """A source, what to ask it, and how many answers are still being made."""

    source: AnswerSource
    call: ChatCall
    open_streams: Callable[[], int]


def runtime(scenario: str) -> Case:
    model = FakeChatModel(SCENARIOS[scenario])
    rig = Rig({"one/m": model}, tries=1)
    return Case(rig.answer, ChatCall(CALLER, QUESTION), lambda: model.open_streams)


def cached(scenario: str) -> Case:
    model = FakeChatModel(SCENARIOS[scenario])
    rig = Rig({"one/m": model}, tries=1)
    parts = CacheParts(
        MemoryResponseCache(),
        FakeRuleBook(),
        FakeRegistry(rig.snapshot),
        FakeLocalEmbedder(),
        RecordingCacheObserver(),
        rig.clock,
    )
    call = ChatCall(CALLER, QUESTION, RoutingOptions(cache=CacheMode.EXACT))
    return Case(AnswerFromCache(rig.answer, parts), call, lambda: model.open_streams)


def fake(scenario: str) -> Case:
    """The fake says what it is given: here what the runtime says to the same."""
    start, end = Started("one/m", (), demonstration=False), Completed(FinishReason.STOP, None, 0)
    given = SCENARIOS[scenario]
    deltas = [event for event in given if not isinstance(event, Finished)]
    answers = FakeAnswers(deltas if scenario == "down" else [start, *deltas, end])
    return Case(answers, ChatCall(CALLER, QUESTION), lambda: answers.open_streams)


@pytest.fixture(params=[runtime, cached, fake])
def made(request: pytest.FixtureRequest) -> Callable[[str], Case]:
    return request.param


@pytest.mark.parametrize("scenario", ["text", "tools"])
async def test_it_starts_once_flows_and_completes_once_last(made: Callable[[str], Case], scenario: str) -> None:
    case = made(scenario)
    for _ in range(2):  # the second time it may come from a cache
        events = [event async for event in case.source.stream(case.call)]
        assert [type(event) for event in events].count(Started) == 1
        assert [type(event) for event in events].count(Completed) == 1
        assert isinstance(events[0], Started)
        assert isinstance(events[-1], Completed)
        assert events[0].model == "one/m"
        assert all(not isinstance(event, TextDelta) or event.text for event in events)


async def test_the_text_is_whole_and_in_order(made: Callable[[str], Case]) -> None:
    case = made("text")
    for _ in range(2):
        events = [event async for event in case.source.stream(case.call)]
        assert "".join(event.text for event in events if isinstance(event, TextDelta)) == "Hello there"


@pytest.mark.parametrize("scenario", ["down", "cut"])
async def test_failures_are_of_the_closed_set_and_end_the_stream(made: Callable[[str], Case], scenario: str) -> None:
    case = made(scenario)
    for _ in range(2):  # what failed is not kept
        with pytest.raises(NexusError) as caught:
            [event async for event in case.source.stream(case.call)]
        assert caught.value.reason in Reason.__members__
    assert case.open_streams() == 0


async def test_closing_ends_the_work_at_once(made: Callable[[str], Case]) -> None:
    case = made("endless")
    async with aclosing(case.source.stream(case.call)) as events:
        assert isinstance(await anext(events), Started)
        assert case.open_streams() == 1
    assert case.open_streams() == 0


async def test_cancelling_ends_the_work_at_once(made: Callable[[str], Case]) -> None:
    case = made("endless")

    async def drained() -> None:
        [event async for event in case.source.stream(case.call)]

    task = asyncio.create_task(drained())
    while not case.open_streams():
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert case.open_streams() == 0
