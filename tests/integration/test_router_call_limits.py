"""A call's own time limits hold instead of the settings'."""

from __future__ import annotations

import time

import pytest
from router_fakes import QUESTION, provider_spec, service_of, target_of

from provider_router.adapters.chat_model_anthropic import AnthropicChatModel
from provider_router.adapters.chat_model_openai import OpenAIChatModel
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.http.limits import HttpLimits
from provider_router.domain.calls.call_limits import CallLimits
from shared.clock import SystemClock
from shared.errors import UpstreamDown
from shared.testing.scripted_provider import Action, EndlessStream, Hang, Reply, ScriptedProvider

LONG_MS = 60_000
DIALECTS = pytest.mark.parametrize("dialect", [OpenAIChatModel, AnthropicChatModel])
SLOW = Reply("a slow answer of some words", chunk_size=2, chunk_delay_s=0.5)


def test_a_call_without_limits_has_those_of_the_settings() -> None:
    limits = HttpLimits(first_token_s=1.5, idle_s=0.25, total_s=20)
    assert limits.of_call == CallLimits(1500, 250, 20_000)


async def answered(dialect: type, action: Action, settings: HttpLimits, limits: CallLimits | None) -> str:
    client = HttpClient(settings, SystemClock())
    async with ScriptedProvider() as provider:
        provider.script(action)
        url = provider.root_url if dialect is AnthropicChatModel else provider.base_url
        service = service_of("p/m", provider=provider_spec("p", chat_url=url))
        await client.start()
        try:
            model = dialect(client, service, target_of(service), "")
            return "".join([getattr(event, "text", "") async for event in model.stream(QUESTION, limits)])
        finally:
            await client.stop()


@DIALECTS
@pytest.mark.parametrize(
    ("action", "limits"),
    [
        (Hang(), CallLimits(100, LONG_MS, LONG_MS)),
        (SLOW, CallLimits(LONG_MS, 100, LONG_MS)),
        (EndlessStream(), CallLimits(LONG_MS, LONG_MS, 200)),
    ],
    ids=["first token", "idle", "total"],
)
async def test_each_limit_of_a_call_ends_it(dialect: type, action: Action, limits: CallLimits) -> None:
    began = time.monotonic()
    with pytest.raises(UpstreamDown) as caught:
        await answered(dialect, action, HttpLimits(), limits)
    assert caught.value.reason == "PROVIDER_TIMEOUT"
    assert time.monotonic() - began < 3


@DIALECTS
async def test_a_call_may_be_given_longer_than_the_settings_say(dialect: type) -> None:
    settings = HttpLimits(first_token_s=0.05, idle_s=0.05, total_s=0.05)
    action = Reply("Hello there", chunk_size=4, chunk_delay_s=0.1)
    with pytest.raises(UpstreamDown):
        await answered(dialect, action, settings, None)
    limits = CallLimits(LONG_MS, LONG_MS, LONG_MS)
    assert await answered(dialect, action, settings, limits) == "Hello there"
