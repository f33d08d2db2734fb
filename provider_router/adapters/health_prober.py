"""Asks deployments, at no cost, whether they are there.

Probes are sent to deployments whose breaker is not closed or whose last call failed, so that traffic returns as soon as
they are back, and to those that were never called, so that a wrong address or key shows before the first call. One that
answered is not bothered any more, and neither is a provider with `probe: false`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from provider_router.adapters.deployment_metrics import Everything
from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.adapters.probe_http import address_of
from provider_router.domain.contracts.provider import Target
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.balance import Berth
from provider_router.domain.traffic.call_verdict import FAULTS
from shared.circuit_breaker import Breaker
from shared.clock import Clock

# That a server has no list of models does not mean that it has no model: it is there, and that is all that is asked.
_AWAY = (FAULTS - {Reason.PROVIDER_MODEL_MISSING}) | {Reason.PROVIDER_RATE_LIMITED}

_Address: TypeAlias = tuple[str, str, str]
"""Provider, deployment and base URL: chats and embeddings of one may be served by different processes."""


class Probe(Protocol):
    """Sends one probe."""

    async def send(self, service: Service, target: Target) -> Reason | None:
        """Returns why there was no good answer; None for a good one."""
        ...


@dataclass(frozen=True, slots=True)
class ProbePolicy:
    """When probes are sent.

    Attributes:
        interval_s: Before the first probe of a deployment that fails; each next one waits twice as long. 0 for none.
        cap_s: The longest wait.
        at_once: Most probes at one time.
        tick_s: Between two looks at what is due.
    """

    interval_s: float = 5.0
    cap_s: float = 60.0
    at_once: int = 8
    tick_s: float = 0.5

    def wait_s(self, sent: int, jitter: float) -> float:
        """How long to wait after `sent` probes; `jitter`, in 0 to 1, makes it up to a quarter shorter or longer."""
        return min(self.cap_s, self.interval_s * 2.0 ** min(sent, 32)) * (0.75 + jitter / 2)


@dataclass(slots=True)
class _Plan:
    """The probes of one address, from the beginning of its trouble to the end of it."""

    due_at: float
    sent: int = 0
    is_running: bool = False


@dataclass(frozen=True, slots=True)
class DueProbe:
    """A probe to send.

    Attributes:
        address: Of what.
        service: One of those that are served there.
        target: There, with a key that is in use.
        berths: All that is served there.
    """

    address: _Address
    service: Service
    target: Target
    berths: tuple[Berth, ...]


class HealthProber:
    """Probes deployments in the background, each at most once at a time.

    Args:
        registry: What is configured.
        deployments: What is known of it, and learns from probes.
        probe: Sends one.
        clock: Time.
        random: Random numbers from 0 to 1.
        policy: When probes are sent.
    """

    def __init__(
        self,
        registry: Everything,
        deployments: MemoryDeployments,
        probe: Probe,
        clock: Clock,
        random: Callable[[], float],
        policy: ProbePolicy,
    ) -> None:
        self._registry = registry
        self._deployments = deployments
        self._probe = probe
        self._clock = clock
        self._random = random
        self._policy = policy
        self._plans: dict[_Address, _Plan] = {}

    async def run(self) -> None:
        """Sends the probes that are due, again and again, until cancelled."""
        if not self._policy.interval_s:
            return
        async with asyncio.TaskGroup() as group:
            while True:
                for due in self.begin():
                    group.create_task(self.finish(due))
                await asyncio.sleep(self._policy.tick_s)

    def begin(self) -> list[DueProbe]:
        """The probes that are due and may be sent now; each of them must be finished."""
        now = self._clock.monotonic()
        served = self._served()
        self._plans = {address: plan for address, plan in self._plans.items() if address in served or plan.is_running}
        room = self._policy.at_once - sum(plan.is_running for plan in self._plans.values())
        begun: list[DueProbe] = []
        for address, places in served.items():
            if len(begun) >= room:
                break
            due = self._due(address, places, now)
            if due is not None:
                self._plans[address].is_running = True
                begun.append(due)
        return begun

    async def finish(self, due: DueProbe) -> None:
        """Sends a probe and learns from it."""
        plan = self._plans[due.address]
        try:
            reason = await self._probe.send(due.service, due.target)
        finally:
            plan.is_running = False
            plan.sent += 1
            plan.due_at = self._clock.monotonic() + self._policy.wait_s(plan.sent, self._random())
        self._deployments.probed(due.berths, reason, is_there=reason not in _AWAY)

    def _served(self) -> dict[_Address, list[tuple[Service, Berth]]]:
        """What is served at which address, by the newest snapshot, where probes are allowed."""
        snapshot = self._registry.everything()
        self._deployments.follow(snapshot)
        served: dict[_Address, list[tuple[Service, Berth]]] = {}
        for service in snapshot.services.values():
            if service.provider.probe:
                for berth in self._deployments.berths_of(service):
                    url = address_of(service, berth.targets[0])
                    address = (service.provider.name, berth.deployment.name, url)
                    served.setdefault(address, []).append((service, berth))
        return served

    def _due(self, address: _Address, places: list[tuple[Service, Berth]], now: float) -> DueProbe | None:
        """The probe of an address, if one is due. Makes and ends its plan."""
        plan = self._plans.get(address)
        if plan is not None and plan.is_running:
            return None
        berths = tuple(berth for _, berth in places)
        is_unknown = not any(berth.station.called_time or berth.station.is_there for berth in berths)
        states = {berth.station.breaker.state(now) for berth in berths}
        is_failing = any(berth.station.failing_since is not None for berth in berths)
        if states == {Breaker.CLOSED} and not is_unknown and not is_failing:
            # Only now: the waits must grow while probes are answered and calls fail.
            self._plans.pop(address, None)
            return None
        if plan is None:
            wait_s = self._random() if is_unknown else self._policy.wait_s(0, self._random())
            plan = self._plans[address] = _Plan(now + wait_s)
        if now < plan.due_at or not (is_unknown or any(_is_missed(berth, now) for berth in berths)):
            return None
        for service, berth in places:
            target = self._deployments.usable_target(berth)
            if target is not None:
                return DueProbe(address, service, target, berths)
        return None


def _is_missed(berth: Berth, now: float) -> bool:
    """Whether calls are, or may be, kept away from it, and nothing says that it may be back."""
    station = berth.station
    if station.breaker.state(now) is Breaker.OPEN:
        return True
    is_failing = station.failing_since is not None or station.breaker.state(now) is Breaker.HALF_OPEN
    return is_failing and not station.seems_back
