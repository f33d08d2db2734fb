"""Probes: what is probed and when, and how little a probe may change."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools

from router_fakes import FakeCredentials, FakeRegistry, provider_spec, service_of, snapshot_of

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.adapters.health_prober import HealthProber, ProbePolicy
from provider_router.domain.contracts.provider import Deployment, Target
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.lease import CallReport
from shared.circuit_breaker import Breaker
from shared.testing.fakes import FakeClock

GOOD = CallReport(first_token_ms=100, output_tokens=20, duration_ms=300)
DOWN = CallReport(Reason.PROVIDER_TIMEOUT)


class FakeProbe:
    """Answers with `reason`; hangs while `gate` is shut."""

    def __init__(self) -> None:
        self.reason: Reason | None = None
        self.sent: list[str] = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def send(self, service: Service, target: Target) -> Reason | None:
        self.sent.append(f"{target.provider.name}/{target.deployment.name}")
        await self.gate.wait()
        return self.reason


class Setting:
    def __init__(self, *services: Service, **keys: str) -> None:
        self.clock = FakeClock()
        self.registry = FakeRegistry(snapshot_of(*services))
        self.deployments = MemoryDeployments(FakeCredentials(**keys), self.clock, lambda: 0.0)
        self.probe = FakeProbe()
        policy = ProbePolicy(interval_s=4, cap_s=20, at_once=2)
        self.prober = HealthProber(self.registry, self.deployments, self.probe, self.clock, lambda: 0.5, policy)

    def call(self, service: Service, report: CallReport, times: int = 1) -> None:
        for _ in range(times):
            self.deployments.release(self.deployments.acquire(service), report)

    async def send_due(self) -> int:
        """Sends what is due one after the other; returns how many that were."""
        due = self.prober.begin()
        for each in due:
            await self.prober.finish(each)
        return len(due)

    async def send_for(self, seconds: float) -> list[float]:
        """When probes were sent, looking four times a second."""
        times = []
        for tick in range(int(seconds * 4)):
            times += [tick / 4] * await self.send_due()
            self.clock.advance(0.25)
        return times

    def statuses(self) -> list[DeploymentStatus]:
        return list(self.deployments.statuses(self.registry.current()))


async def test_what_was_never_called_is_probed_soon_and_once_when_it_answers() -> None:
    setting = Setting(service_of("a/m"), service_of("a/n"))
    assert await setting.send_for(60) == [0.5]
    assert setting.probe.sent == ["a/default"]
    assert [(status.is_probed, status.last_error_reason) for status in setting.statuses()] == [(True, "")] * 2
    assert setting.statuses()[0].called_time is None


async def test_what_was_never_called_and_does_not_answer_is_asked_less_and_less_often() -> None:
    setting = Setting(service_of("a/m"))
    setting.probe.reason = Reason.PROVIDER_UNREACHABLE
    assert await setting.send_for(80) == [0.5, 8.5, 24.5, 44.5, 64.5]
    assert setting.statuses()[0].last_error_reason == "PROVIDER_UNREACHABLE"
    # It opens nothing: no call failed.
    assert setting.statuses()[0].breaker is Breaker.CLOSED


async def test_what_works_is_not_probed() -> None:
    service = service_of("a/m")
    setting = Setting(service)
    setting.call(service, DOWN, 3)
    setting.call(service, GOOD)
    assert await setting.send_for(60) == []


async def test_what_failed_last_is_probed_until_it_answers_though_its_breaker_is_closed() -> None:
    service = service_of("a/m")
    setting = Setting(service)
    setting.call(service, GOOD)
    setting.call(service, DOWN, 3)
    setting.probe.reason = Reason.PROVIDER_UNREACHABLE
    assert await setting.send_for(5) == [4.0]
    assert setting.deployments.measured_of(service).excused == 0
    assert not setting.statuses()[0].seems_back
    setting.probe.reason = None
    assert await setting.send_for(60) == [7.0]
    assert setting.deployments.measured_of(service).excused == 3
    assert setting.statuses()[0].seems_back
    setting.call(service, DOWN)
    assert not setting.statuses()[0].seems_back
    setting.call(service, GOOD)
    assert not setting.statuses()[0].seems_back


async def test_an_answered_probe_makes_an_open_breaker_half_open_and_never_closes_it() -> None:
    service, other = service_of("a/m"), service_of("a/n")
    setting = Setting(service, other)
    setting.call(other, GOOD)
    setting.call(service, DOWN, 5)
    setting.clock.advance(0.1)
    assert await setting.send_for(4.5) == [4.0]
    first, second = setting.statuses()
    assert (first.breaker, second.breaker) == (Breaker.HALF_OPEN, Breaker.CLOSED)
    # What the last call said stays: a probe says less.
    assert first.last_error_reason == "PROVIDER_TIMEOUT"
    assert (first.seems_back, second.seems_back) == (True, False)
    assert await setting.send_for(60) == []
    assert setting.statuses()[0].breaker is Breaker.HALF_OPEN


async def test_a_probe_without_an_answer_leaves_the_breaker_to_its_time() -> None:
    service = service_of("a/m")
    setting = Setting(service)
    setting.probe.reason = Reason.PROVIDER_TIMEOUT
    setting.call(service, DOWN, 5)
    await setting.send_for(4.5)
    assert len(setting.probe.sent) == 1
    assert setting.statuses()[0].breaker is Breaker.OPEN
    setting.clock.advance(0.5)
    assert setting.statuses()[0].breaker is Breaker.HALF_OPEN


async def test_probes_that_are_answered_while_calls_fail_wait_longer_each_time() -> None:
    service = service_of("a/m")
    setting = Setting(service)
    setting.call(service, DOWN, 5)
    times = []
    for tick in range(400):
        times += [tick / 4] * await setting.send_due()
        lease = setting.deployments.acquire(service)
        if hasattr(lease, "target"):
            setting.deployments.release(lease, DOWN)
        setting.clock.advance(0.25)
    waits = [round(later - earlier) for earlier, later in itertools.pairwise(times)]
    assert waits == sorted(waits)
    assert waits[-1] >= 20


async def test_a_server_that_lacks_the_list_or_refuses_the_key_for_it_is_there() -> None:
    for reason in (Reason.PROVIDER_MODEL_MISSING, Reason.PROVIDER_REFUSED_KEY, Reason.PROVIDER_REFUSED_REQUEST):
        service = service_of("a/m", provider=provider_spec("a", key_envs=("KEY",)))
        setting = Setting(service, KEY="k")
        setting.probe.reason = reason
        setting.call(service, DOWN, 5)
        await setting.send_for(4.5)
        status = setting.statuses()[0]
        assert status.breaker is Breaker.HALF_OPEN
        assert status.usable_keys == 1


async def test_a_refused_key_shows_before_the_first_call_and_a_missing_list_does_not() -> None:
    for reason, shown in (
        (Reason.PROVIDER_REFUSED_KEY, "PROVIDER_REFUSED_KEY"),
        (Reason.PROVIDER_MODEL_MISSING, ""),
    ):
        setting = Setting(service_of("a/m"))
        setting.probe.reason = reason
        assert await setting.send_for(60) == [0.5]
        assert setting.statuses()[0].last_error_reason == shown


async def test_who_does_not_want_probes_and_who_has_no_key_gets_none() -> None:
    quiet = service_of("a/m", provider=dataclasses.replace(provider_spec("a"), probe=False))
    keyless = service_of("b/m", provider=provider_spec("b", key_envs=("ABSENT",)))
    setting = Setting(quiet, keyless)
    setting.call(quiet, DOWN, 5)
    assert await setting.send_for(60) == []


async def test_an_address_is_probed_once_at_a_time_and_few_are_at_once() -> None:
    places = tuple(Deployment(f"d{index}", f"http://{index}.test", f"http://{index}.test") for index in range(5))
    setting = Setting(service_of("a/m", provider=provider_spec("a", deployments=places)))
    setting.clock.advance(1)
    setting.prober.begin()
    setting.clock.advance(1)
    first = setting.prober.begin()
    assert [due.target.deployment.name for due in first] == ["d0", "d1"]
    setting.clock.advance(100)
    assert setting.prober.begin() == []
    for due in first:
        await setting.prober.finish(due)
    second = setting.prober.begin()
    assert [due.target.deployment.name for due in second] == ["d2", "d3"]


async def test_chats_and_embeddings_at_two_addresses_are_two_probes() -> None:
    spec = provider_spec("local", chat_url="http://chat.test/v1", embed_url="http://embed.test/v1")
    chat = service_of("local/chat", provider=spec)
    embed = service_of("local/embed", provider=spec, chat=False, embeddings=True)
    setting = Setting(chat, embed)
    await setting.send_for(2)
    assert setting.probe.sent == ["local/default"] * 2


async def test_what_vanishes_or_recovers_during_its_probe_is_forgotten() -> None:
    service = service_of("a/m")
    setting = Setting(service, service_of("b/m"))
    setting.clock.advance(1)
    setting.prober.begin()
    setting.clock.advance(1)
    due = setting.prober.begin()
    assert len(due) == 2
    setting.call(service, GOOD)
    setting.registry.snapshot = snapshot_of(service)
    assert setting.prober.begin() == []
    for each in due:
        await setting.prober.finish(each)
    setting.prober.begin()
    assert setting.prober._plans == {}


async def test_it_runs_until_cancelled_and_leaves_no_probe_behind() -> None:
    setting = Setting(service_of("a/m"))
    setting.probe.gate.clear()
    fast = ProbePolicy(interval_s=4, tick_s=0.001)
    prober = HealthProber(setting.registry, setting.deployments, setting.probe, setting.clock, lambda: 0.0, fast)
    task = asyncio.create_task(prober.run())
    while not setting.probe.sent:
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_no_interval_means_no_probes() -> None:
    setting = Setting(service_of("a/m"))
    prober = HealthProber(
        setting.registry, setting.deployments, setting.probe, setting.clock, lambda: 0.0, ProbePolicy(interval_s=0)
    )
    await asyncio.wait_for(prober.run(), 1)
    assert setting.probe.sent == []
