"""What organisations have set for their tools: the fake and the real way to the settings service, and its troubles."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from settings_fakes import ScriptedSettings, served_settings
from tools_fakes import FakeToolSettings

from protos.gen.nexus.settings.v1 import settings_pb2
from shared.auth.principal import Principal
from shared.client.channel import open_channel
from shared.clock import SystemClock
from shared.errors import UpstreamDown
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal
from tool_executor.adapters.tool_settings_grpc import GrpcToolSettings
from tool_executor.domain.tool_decision import ToolRules
from tool_executor.domain.tool_scope import ToolScope
from tool_executor.ports.tool_settings import ToolSettings

OWNER = principal()
STRANGER = principal(org_id="org-b")
Disable = Callable[[str, set[str]], Awaitable[None]]


@asynccontextmanager
async def real(most: int = 10) -> AsyncGenerator[tuple[GrpcToolSettings, ScriptedSettings], None]:
    settings = ScriptedSettings()
    async with served_settings(settings) as served:
        policy = GrpcToolSettings(served.channel, SystemClock(), max_organisations=most)
        try:
            yield policy, settings
        finally:
            await policy.stop()
            await until(lambda: settings.watches == 0)


@asynccontextmanager
async def fake() -> AsyncGenerator[tuple[ToolSettings, Disable], None]:
    policy = FakeToolSettings()

    async def disable(org_id: str, names: set[str]) -> None:
        policy.known[org_id] = ToolRules(frozenset(names))

    yield policy, disable


@asynccontextmanager
async def grpc_policy() -> AsyncGenerator[tuple[ToolSettings, Disable], None]:
    async with real() as (policy, settings):
        yield policy, settings.disable


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def disabled_in(policy: ToolSettings, who: Principal) -> frozenset[str]:
    return (await policy.rules(who)).disabled


async def sees(policy: ToolSettings, names: set[str], who: Principal = OWNER) -> float:
    """Return the seconds until `policy` answers `names`."""
    started = time.monotonic()
    async with asyncio.timeout(5):
        while await disabled_in(policy, who) != names:
            await asyncio.sleep(0.01)
    return time.monotonic() - started


@pytest.mark.parametrize("make", [fake, grpc_policy])
async def test_everything_is_on_until_it_is_switched_off_and_at_once(make: Callable[[], object]) -> None:
    async with make() as (policy, disable):  # type: ignore[attr-defined]
        assert await disabled_in(policy, OWNER) == frozenset()
        await disable("org-a", {"calculator", "execute_code"})
        assert await sees(policy, {"calculator", "execute_code"}) < 1
        assert await disabled_in(policy, STRANGER) == frozenset()
        await disable("org-a", set())
        assert await sees(policy, set()) < 1


async def test_an_open_watch_answers_without_asking() -> None:
    async with real() as (policy, settings):
        await disabled_in(policy, OWNER)
        await until(lambda: settings.watches == 1)
        await sees(policy, set())
        asked = settings.asked
        await asyncio.gather(*(policy.rules(OWNER) for _ in range(50)))
        assert (settings.asked, settings.watches) == (asked, 1)


async def test_callers_at_once_ask_once() -> None:
    async with real() as (policy, settings):
        await asyncio.gather(*(policy.rules(OWNER) for _ in range(20)))
        assert settings.asked == 1


async def test_nothing_known_is_a_refusal_until_there_is_an_answer() -> None:
    async with real() as (policy, settings):
        settings.down = True
        with pytest.raises(UpstreamDown) as caught:
            await disabled_in(policy, OWNER)
        assert caught.value.reason == "TOOL_POLICY_UNKNOWN"
        assert caught.value.retry_after_s
        with pytest.raises(UpstreamDown):
            await disabled_in(policy, OWNER)
        assert settings.asked == 1
        settings.down = False
        settings.disabled["org-a"] = {"calculator"}
        await asyncio.sleep(1.05)
        assert await disabled_in(policy, OWNER) == {"calculator"}


async def test_a_service_that_is_not_there_is_a_refusal() -> None:
    async with served_settings(ScriptedSettings()) as served:
        address = served.address
    async with open_channel(address, lambda _principal: None) as channel:
        with pytest.raises(UpstreamDown):
            await GrpcToolSettings(channel, FakeClock(), max_organisations=1).rules(OWNER)


async def test_the_last_answer_stands_while_there_is_none_and_the_watch_comes_back() -> None:
    async with real() as (policy, settings):
        await settings.disable("org-a", {"calculator"})
        await disabled_in(policy, OWNER)
        await until(lambda: settings.watches == 1)
        settings.down = True
        await settings.break_watches()
        await until(lambda: settings.watches == 0)
        assert await disabled_in(policy, OWNER) == {"calculator"}
        settings.down = settings.watches_break = False
        settings.disabled["org-a"] = {"execute_code"}
        assert await sees(policy, {"execute_code"}) < 2
        await until(lambda: settings.watches == 1)
        await settings.disable("org-a", set())
        assert await sees(policy, set()) < 1


async def test_a_broken_watch_is_made_up_for_by_asking() -> None:
    async with real() as (policy, settings):
        settings.watches_break = True
        assert await disabled_in(policy, OWNER) == frozenset()
        settings.disabled["org-a"] = {"calculator"}
        assert await sees(policy, {"calculator"}) < 1.6


async def test_watches_are_bounded() -> None:
    async with real(most=2) as (policy, settings):
        for number in range(5):
            await disabled_in(policy, principal(org_id=f"org-{number}"))
        await until(lambda: settings.watches == 2)
        await asyncio.sleep(0.1)
        assert settings.watches == 2


async def test_a_caller_who_may_not_read_settings_is_served() -> None:
    async with real() as (policy, settings):
        settings.disabled["org-a"] = {"calculator"}
        assert await disabled_in(policy, principal(permissions=("tools.execute",))) == {"calculator"}
        await until(lambda: settings.watches == 1)
        assert set(settings.watched_by) == {"service:tools"}


async def test_scopes_come_with_the_answer_and_with_each_change() -> None:
    async with real() as (policy, settings):
        clerk = settings_pb2.ToolScope(agent="clerk", allowed=["calculator"])
        settings.scopes["org-a"] = [clerk]
        assert (await policy.rules(OWNER)).scopes == (ToolScope("clerk", "", ("calculator",)),)
        assert (await policy.rules(STRANGER)).scopes == ()
        await until(lambda: settings.watches == 2)
        settings.scopes["org-a"] = [clerk, settings_pb2.ToolScope(channel="telegram", allowed=["github_*"])]
        await settings.disable("org-a", {"calculator"})
        await sees(policy, {"calculator"})
        assert (await policy.rules(OWNER)).scopes[1] == ToolScope("", "telegram", ("github_*",))
