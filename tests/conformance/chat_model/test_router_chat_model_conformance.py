"""What every `ChatModel` holds: the dialects over real HTTP, and the fake that stands in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import pytest
from router_fakes import QUESTION, FakeChatModel, provider_spec, service_of, target_of

from provider_router.adapters.chat_model_anthropic import AnthropicChatModel
from provider_router.adapters.chat_model_openai import OpenAIChatModel
from provider_router.adapters.chat_model_openai_responses import ResponsesChatModel
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.http.limits import HttpLimits
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished, ModelEvent, TextDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.errors import Reason, failure
from provider_router.ports.chat_model import ChatModel
from shared.clock import SystemClock
from shared.errors import NexusError
from shared.testing.scripted_provider import (
    EndlessStream,
    Reply,
    ScriptedProvider,
    Status,
    ToolCall,
    Truncate,
    Usage,
)

Dialect = OpenAIChatModel | AnthropicChatModel | ResponsesChatModel
DONE = Finished(FinishReason.STOP, TokenUsage(10, 5, 2))


@dataclass
class Case:
    """A model, and how many of its answers are still being made."""

    model: ChatModel
    open_streams: Callable[[], int]


@asynccontextmanager
async def fake(scenario: str) -> AsyncGenerator[Case, None]:
    call = [ToolCallDelta(0, "a", "add", ""), ToolCallDelta(0, "", "", '{"x": 1}')]
    events: dict[str, list[object]] = {
        "text": [TextDelta("Hello "), TextDelta("there"), DONE],
        "tools": [*call, Finished(FinishReason.TOOL_CALLS, None)],
        "down": [failure(Reason.PROVIDER_ERROR, "x")],
        "cut": [TextDelta("Hel"), failure(Reason.PROVIDER_BAD_RESPONSE, "x")],
        "endless": [TextDelta("x"), ...],
    }
    model = FakeChatModel(events[scenario])
    yield Case(model, lambda: model.open_streams)


@asynccontextmanager
async def over_http(scenario: str, dialect: type[Dialect]) -> AsyncGenerator[Case, None]:
    actions = {
        "text": Reply("Hello there", usage=Usage(10, 5, 2), chunk_size=6),
        "tools": Reply(tool_calls=(ToolCall("add", '{"x": 1}', "a"),)),
        "down": Status(500),
        "cut": Truncate(after_chunks=2),
        "endless": EndlessStream(),
    }
    client = HttpClient(HttpLimits(first_token_s=5, idle_s=5, total_s=5), SystemClock())
    async with ScriptedProvider(api_key="sk-1") as provider:
        provider.script(actions[scenario])
        url = provider.root_url if dialect is AnthropicChatModel else provider.base_url
        await client.start()
        try:
            spec = service_of("p/m", provider=provider_spec("p", chat_url=url))
            yield Case(
                dialect(client, spec, target_of(spec), "sk-1"), lambda: len(provider.requests) - provider.disconnects
            )
        finally:
            await client.stop()


@pytest.fixture(params=["fake", "openai", "anthropic", "responses"])
def case(request: pytest.FixtureRequest):
    return {
        "fake": fake,
        "openai": lambda scenario: over_http(scenario, OpenAIChatModel),
        "anthropic": lambda scenario: over_http(scenario, AnthropicChatModel),
        "responses": lambda scenario: over_http(scenario, ResponsesChatModel),
    }[request.param]


async def collected(model: ChatModel) -> list[ModelEvent]:
    return [event async for event in model.stream(QUESTION)]


async def test_deltas_come_first_and_one_finish_last(case) -> None:
    async with case("text") as made:
        events = await collected(made.model)
    assert "".join(event.text for event in events[:-1]) == "Hello there"
    assert all(event.text for event in events[:-1])
    assert events[-1] == DONE


async def test_tool_calls_come_in_pieces_that_join(case) -> None:
    async with case("tools") as made:
        *pieces, end = await collected(made.model)
    assert (pieces[0].index, pieces[0].id, pieces[0].name) == (0, "a", "add")
    assert all((piece.id, piece.name) == ("", "") for piece in pieces[1:])
    assert "".join(piece.arguments_json for piece in pieces) == '{"x": 1}'
    assert end.finish_reason is FinishReason.TOOL_CALLS


@pytest.mark.parametrize("scenario", ["down", "cut"])
async def test_failures_are_of_the_closed_set(case, scenario: str) -> None:
    async with case(scenario) as made:
        with pytest.raises(NexusError) as caught:
            await collected(made.model)
    assert caught.value.reason in Reason.__members__


async def test_closing_ends_the_work_at_once(case) -> None:
    async with case("endless") as made:
        async with aclosing(made.model.stream(QUESTION)) as events:
            assert isinstance(await anext(events), TextDelta)
            assert made.open_streams() == 1
        async with asyncio.timeout(1):
            while made.open_streams():
                await asyncio.sleep(0.005)


async def test_cancelling_ends_the_work_at_once(case) -> None:
    async with case("endless") as made:
        task = asyncio.create_task(collected(made.model))
        async with asyncio.timeout(2):
            while not made.open_streams():
                await asyncio.sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            while made.open_streams():
                await asyncio.sleep(0.005)


async def test_nothing_happens_before_the_first_event_is_asked_for(case) -> None:
    async with case("text") as made:
        async with aclosing(made.model.stream(QUESTION)):
            await asyncio.sleep(0)
        assert made.open_streams() == 0
