"""What a provider counts arrives as it was counted, whichever dialect it speaks, over real HTTP."""

from __future__ import annotations

from dataclasses import replace

import pytest
from router_fakes import QUESTION, provider_spec, service_of, target_of

from provider_router.adapters.chat_model_anthropic import AnthropicChatModel
from provider_router.adapters.chat_model_openai import OpenAIChatModel
from provider_router.adapters.chat_model_openai_responses import ResponsesChatModel
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.http.limits import HttpLimits
from provider_router.domain.calls.events import Finished
from provider_router.domain.calls.usage import TokenUsage
from shared.clock import SystemClock
from shared.testing.scripted_provider import Action, DuplicateFinish, MissingUsage, Reply, ScriptedProvider, Usage

SENT = Usage(1000, 50, cached_input_tokens=700, reasoning_tokens=20, cache_write_input_tokens=200)
MEANT = TokenUsage(1000, 50, 700, 20, 200)
DIALECTS = [OpenAIChatModel, AnthropicChatModel, ResponsesChatModel]


async def finished(dialect: type, action: Action) -> Finished:
    client = HttpClient(HttpLimits(first_token_s=5, idle_s=5, total_s=5), SystemClock())
    async with ScriptedProvider() as provider:
        provider.script(action)
        await client.start()
        try:
            url = provider.root_url if dialect is AnthropicChatModel else provider.base_url
            service = service_of("p/m", provider=provider_spec("p", chat_url=url))
            events = [event async for event in dialect(client, service, target_of(service), "").stream(QUESTION)]
        finally:
            await client.stop()
    assert isinstance(events[-1], Finished)
    return events[-1]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_every_kind_of_token_is_counted(dialect: type) -> None:
    assert (await finished(dialect, Reply("Hello", usage=SENT))).usage == MEANT


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_end_that_comes_twice_counts_once(dialect: type) -> None:
    assert (await finished(dialect, DuplicateFinish(Reply("Hello", usage=SENT)))).usage == MEANT


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_count_that_is_missing_is_unknown(dialect: type) -> None:
    assert (await finished(dialect, MissingUsage(Reply("Hello")))).usage is None


async def test_thoughts_that_only_the_total_has_are_output() -> None:
    counted = await finished(OpenAIChatModel, Reply("Hello", usage=Usage(20, 151, unlisted_tokens=382)))
    assert counted.usage == TokenUsage(20, 533)


async def test_what_the_provider_charges_is_passed_on() -> None:
    counted = await finished(ResponsesChatModel, Reply("Hello", usage=replace(SENT, billed_usd=0.01234)))
    assert (counted.usage, counted.billed_micro_usd) == (MEANT, 12_340)
