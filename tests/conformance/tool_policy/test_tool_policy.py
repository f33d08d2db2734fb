"""Which tools are off: the fake and the real way to the settings service, and what the real one does in trouble."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from tools_fakes import FakeToolPolicy

from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from shared.auth.context import current_principal
from shared.client.channel import open_channel
from shared.clock import SystemClock
from shared.errors import UpstreamDown
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import Served, principal, serving
from tool_executor.adapters.tool_policy_grpc import GrpcToolPolicy
from tool_executor.ports.tool_policy import ToolPolicy

OWNER = principal()
STRANGER = principal(org_id="org-b")
Disable = Callable[[str, set[str]], Awaitable[None]]


class ScriptedSettings(settings_pb2_grpc.SettingsServiceServicer):
    """Knows the disabled tools of each organisation; can be down, and can break its watches."""

    def __init__(self) -> None:
        self.disabled: dict[str, set[str]] = {}
        self.changed = asyncio.Condition()
        self.down = False
        self.watches_break = False
        self.asked = 0
        self.watches = 0
        self.watched_by: list[str] = []

    async def disable(self, org_id: str, names: set[str]) -> None:
        async with self.changed:
            self.disabled[org_id] = names
            self.changed.notify_all()

    async def break_watches(self) -> None:
        async with self.changed:
            self.watches_break = True
            self.changed.notify_all()

    def _config(self) -> settings_pb2.Config:
        if self.down:
            raise UpstreamDown("STORAGE_DOWN", "Not now.")
        names = sorted(self.disabled.get(current_principal().org_id, ()))
        return settings_pb2.Config(tools=settings_pb2.ToolsConfig(disabled=names))

    async def GetConfig(self, request: object, context: object) -> settings_pb2.GetConfigResponse:
        self.asked += 1
        return settings_pb2.GetConfigResponse(config=self._config())

    async def WatchConfig(self, request: object, context: object) -> AsyncIterator[settings_pb2.WatchConfigResponse]:
        self.watched_by.append(current_principal().user_id)
        self.watches += 1
        try:
            while not self.watches_break:
                yield settings_pb2.WatchConfigResponse(config=self._config())
                async with self.changed:
                    await self.changed.wait()
            raise UpstreamDown("STORAGE_DOWN", "Not now.")
        finally:
            self.watches -= 1


@asynccontextmanager
async def served_settings(settings: ScriptedSettings) -> AsyncGenerator[Served, None]:
    registration = Registration(
        settings_pb2_grpc.add_SettingsServiceServicer_to_server,
        settings,
        settings_pb2.DESCRIPTOR.services_by_name["SettingsService"],
    )
    async with serving(Service("settings", [registration])) as served:
        yield served


@asynccontextmanager
async def real(most: int = 10) -> AsyncGenerator[tuple[GrpcToolPolicy, ScriptedSettings], None]:
    settings = ScriptedSettings()
    async with served_settings(settings) as served:
        policy = GrpcToolPolicy(served.channel, SystemClock(), max_organisations=most)
        try:
            yield policy, settings
        finally:
            await policy.stop()
            await until(lambda: settings.watches == 0)


@asynccontextmanager
async def fake() -> AsyncGenerator[tuple[ToolPolicy, Disable], None]:
    policy = FakeToolPolicy()

    async def disable(org_id: str, names: set[str]) -> None:
        policy.disabled[org_id] = frozenset(names)

    yield policy, disable


@asynccontextmanager
async def grpc_policy() -> AsyncGenerator[tuple[ToolPolicy, Disable], None]:
    async with real() as (policy, settings):
        yield policy, settings.disable


async def until(condition: Callable[[], bool], seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def sees(policy: ToolPolicy, names: set[str], who: object = OWNER) -> float:
    """Return the seconds until `policy` answers `names`."""
    started = time.monotonic()
    async with asyncio.timeout(5):
        while await policy.disabled_tools(who) != names:  # type: ignore[arg-type]
            await asyncio.sleep(0.01)
    return time.monotonic() - started


@pytest.mark.parametrize("make", [fake, grpc_policy])
async def test_everything_is_on_until_it_is_switched_off_and_at_once(make: Callable[[], object]) -> None:
    async with make() as (policy, disable):  # type: ignore[attr-defined]
        assert await policy.disabled_tools(OWNER) == frozenset()
        await disable("org-a", {"calculator", "execute_code"})
        assert await sees(policy, {"calculator", "execute_code"}) < 1
        assert await policy.disabled_tools(STRANGER) == frozenset()
        await disable("org-a", set())
        assert await sees(policy, set()) < 1


async def test_an_open_watch_answers_without_asking() -> None:
    async with real() as (policy, settings):
        await policy.disabled_tools(OWNER)
        await until(lambda: settings.watches == 1)
        await sees(policy, set())
        asked = settings.asked
        await asyncio.gather(*(policy.disabled_tools(OWNER) for _ in range(50)))
        assert (settings.asked, settings.watches) == (asked, 1)


async def test_callers_at_once_ask_once() -> None:
    async with real() as (policy, settings):
        await asyncio.gather(*(policy.disabled_tools(OWNER) for _ in range(20)))
        assert settings.asked == 1


async def test_nothing_known_is_a_refusal_until_there_is_an_answer() -> None:
    async with real() as (policy, settings):
        settings.down = True
        with pytest.raises(UpstreamDown) as caught:
            await policy.disabled_tools(OWNER)
        assert caught.value.reason == "TOOL_POLICY_UNKNOWN"
        assert caught.value.retry_after_s
        with pytest.raises(UpstreamDown):
            await policy.disabled_tools(OWNER)
        assert settings.asked == 1
        settings.down = False
        settings.disabled["org-a"] = {"calculator"}
        await asyncio.sleep(1.05)
        assert await policy.disabled_tools(OWNER) == {"calculator"}


async def test_a_service_that_is_not_there_is_a_refusal() -> None:
    async with served_settings(ScriptedSettings()) as served:
        address = served.address
    async with open_channel(address, lambda _principal: None) as channel:
        with pytest.raises(UpstreamDown):
            await GrpcToolPolicy(channel, FakeClock(), max_organisations=1).disabled_tools(OWNER)


async def test_the_last_answer_stands_while_there_is_none_and_the_watch_comes_back() -> None:
    async with real() as (policy, settings):
        await settings.disable("org-a", {"calculator"})
        await policy.disabled_tools(OWNER)
        await until(lambda: settings.watches == 1)
        settings.down = True
        await settings.break_watches()
        await until(lambda: settings.watches == 0)
        assert await policy.disabled_tools(OWNER) == {"calculator"}
        settings.down = settings.watches_break = False
        settings.disabled["org-a"] = {"execute_code"}
        assert await sees(policy, {"execute_code"}) < 2
        await until(lambda: settings.watches == 1)
        await settings.disable("org-a", set())
        assert await sees(policy, set()) < 1


async def test_a_broken_watch_is_made_up_for_by_asking() -> None:
    async with real() as (policy, settings):
        settings.watches_break = True
        assert await policy.disabled_tools(OWNER) == frozenset()
        settings.disabled["org-a"] = {"calculator"}
        assert await sees(policy, {"calculator"}) < 1.6


async def test_watches_are_bounded() -> None:
    async with real(most=2) as (policy, settings):
        for number in range(5):
            await policy.disabled_tools(principal(org_id=f"org-{number}"))
        await until(lambda: settings.watches == 2)
        await asyncio.sleep(0.1)
        assert settings.watches == 2


async def test_a_caller_who_may_not_read_settings_is_served() -> None:
    async with real() as (policy, settings):
        settings.disabled["org-a"] = {"calculator"}
        assert await policy.disabled_tools(principal(permissions=("tools.execute",))) == {"calculator"}
        await until(lambda: settings.watches == 1)
        assert set(settings.watched_by) == {"service:tools"}
