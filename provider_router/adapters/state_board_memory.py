"""Puts together the state of all services, in this process."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from prometheus_client import Counter

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.domain.contracts.promises import broken_promises
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.service_state import FRESH, Measured, Reward, ServiceState, SystemState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.traffic.rounding import rounded, rounded_load, without_excused
from provider_router.ports.rewards import Rewards
from provider_router.ports.service_registry import ServiceRegistry
from shared.clock import Clock
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_BROKEN = Counter("nexus_router_promises_broken_total", "Guarantees that services broke.", ("service", "promise"))
_REGISTERED = "registered"
"""Stands for all services that organisations registered, of which there may be any number."""
_PERIOD_S = 1.0
_ORGANISATIONS = 256


@dataclass(frozen=True, slots=True)
class _Measurements:
    """What is looked at once a second.

    Attributes:
        exact: All that was measured.
        rounded: What decisions see of it.
        told: The promises that `exact` breaks, as it is reported.
        broken_promises: Those that are broken also without the failures that are excused: they demote.
        load_ppm: Calls in flight against places.
    """

    exact: Measured
    rounded: Measured
    told: tuple[str, ...]
    broken_promises: tuple[str, ...]
    load_ppm: int


@dataclass(frozen=True, slots=True)
class _View:
    """The state as one organisation sees it, and what it was made of."""

    base: Mapping[str, ServiceState]
    snapshot: RegistrySnapshot
    rewards: Mapping[str, Mapping[str, Reward]]
    made_at: float
    state: SystemState

    def is_of(self, base: Mapping[str, ServiceState], snapshot: RegistrySnapshot) -> bool:
        """Whether it was made of these very objects."""
        return self.base is base and self.snapshot is snapshot


class MemoryStateBoard:
    """Implements `StateBoard` over the deployments of this process.

    It works something out only when it is asked, and when there is something to work out: a change that matters at
    once, the end of a pause, or a second since the measurements were looked at. An organisation's state holds the
    services that it sees, and no other organisation's.
    """

    def __init__(
        self, registry: ServiceRegistry, deployments: MemoryDeployments, rewards: Rewards, clock: Clock
    ) -> None:
        self._registry = registry
        self._deployments = deployments
        self._rewards = rewards
        self._clock = clock
        self._snapshot: RegistrySnapshot | None = None
        self._services: dict[str, ServiceState] = {}
        self._measurements: dict[str, _Measurements] = {}
        self._changes = -1
        self._measured_at = float("-inf")
        self._until = float("-inf")
        self._views: OrderedDict[str, _View] = OrderedDict()

    def current(self, org_id: str) -> SystemState:
        """The state, with the rewards that `org_id` gave."""
        now = self._clock.monotonic()
        everything = self._registry.everything()
        changed = everything is not self._snapshot or self._deployments.changes != self._changes
        if changed or now >= self._until:
            self._refresh(everything, now)
        snapshot, rewards = self._registry.current(org_id), self._rewards.of(org_id)
        # Organisations that see the same and have given no rewards share one state.
        of_all = not rewards and snapshot is self._registry.current("")
        return self._seen("" if of_all else org_id, snapshot, rewards, now)

    def _refresh(self, snapshot: RegistrySnapshot, now: float) -> None:
        self._deployments.follow(snapshot)
        self._changes = self._deployments.changes
        if snapshot is not self._snapshot or now - self._measured_at >= _PERIOD_S:
            self._measure(snapshot, now)
        self._snapshot = snapshot
        self._until = self._measured_at + _PERIOD_S
        services: dict[str, ServiceState] = {}
        for name, service in snapshot.services.items():
            state = self._state_of(service)
            if state != FRESH:
                services[name] = state
        if services != self._services:
            self._services = services

    def _state_of(self, service: Service) -> ServiceState:
        condition = self._deployments.condition_of(service)
        self._until = min(self._until, condition.until)
        seen = self._measurements[service.name]
        return ServiceState(
            configured=condition.configured,
            breaker=condition.breaker,
            cooling=condition.cooling,
            load_ppm=seen.load_ppm,
            measured=seen.rounded,
            broken_promises=seen.broken_promises,
            keys_refused=condition.keys_refused,
        )

    def _measure(self, snapshot: RegistrySnapshot, now: float) -> None:
        self._measured_at = now
        # Another snapshot may promise something else.
        before = self._measurements if snapshot is self._snapshot else {}
        earlier, self._measurements = self._measurements, {}
        for name, service in snapshot.services.items():
            seen, measured = before.get(name), self._deployments.measured_of(service)
            load = rounded_load(self._deployments.load_of(service))
            if seen is not None and seen.exact is measured and seen.load_ppm == load:
                self._measurements[name] = seen
                continue
            self._measurements[name] = _measurements(service, measured, load, earlier.get(name))

    def _seen(
        self, org_id: str, snapshot: RegistrySnapshot, rewards: Mapping[str, Mapping[str, Reward]], now: float
    ) -> SystemState:
        """The state with `rewards`, which are looked at again once a second: each state that differs is stored."""
        view = self._views.get(org_id)
        is_young = view is not None and (view.rewards is rewards or now - view.made_at < _PERIOD_S)
        if view is not None and is_young and view.is_of(self._services, snapshot):
            return view.state
        services = {
            name: self._as_promised(state, snapshot.services[name])
            for name, state in self._services.items()
            if name in snapshot.services
        }
        for name in rewards.keys() & snapshot.services.keys():
            services[name] = replace(services.get(name, FRESH), rewards=rewards[name])
        is_same = view is not None and view.state.services == services
        state = view.state if view is not None and is_same else system_state(services)
        self._views[org_id] = _View(self._services, snapshot, rewards, now, state)
        self._views.move_to_end(org_id)
        if len(self._views) > _ORGANISATIONS:
            self._views.popitem(last=False)
        return state

    def _as_promised(self, state: ServiceState, service: Service) -> ServiceState:
        """`state`, held against the promises of `service` itself: another organisation's may have its name."""
        promised = service.contract.guarantees
        measured = self._snapshot.services.get(service.name) if self._snapshot else None
        if measured is None or measured.contract.guarantees == promised:
            return state
        return replace(state, broken_promises=broken_promises(promised, state.measured))


def _measurements(service: Service, measured: Measured, load_ppm: int, before: _Measurements | None) -> _Measurements:
    """What `measured` comes to, after `before`. Reports promises that were broken or are kept again."""
    promised = service.contract.guarantees
    was_told = before.told if before else ()
    told = broken_promises(promised, measured, was_told)
    if told != was_told:
        _report(service, measured, was_told, told)
    # When an outage is excused, nothing is left of what it broke: the rest is judged as if it had not been.
    is_excused = before is not None and measured.excused > before.exact.excused
    was_held = before.broken_promises if before and not is_excused else ()
    held = broken_promises(promised, without_excused(measured), was_held)
    return _Measurements(measured, rounded(measured), told, held, load_ppm)


def _report(service: Service, measured: Measured, before: tuple[str, ...], after: tuple[str, ...]) -> None:
    """Says which promises were broken, and which are kept again or no longer measured."""
    for promise in after:
        if promise not in before:
            _BROKEN.labels(_REGISTERED if service.contract.org_id else service.name, promise).inc()
            _log.warning("promise_broken", **_facts(service, measured, promise))
    for promise in before:
        if promise not in after:
            _log.info("promise_kept_again", **_facts(service, measured, promise))


def _facts(service: Service, measured: Measured, promise: str) -> dict[str, object]:
    seen = {
        "first_token_p50_ms": measured.first_token_p50_ms,
        "first_token_p95_ms": measured.first_token_p95_ms,
        "tokens_per_second": measured.tokens_per_second,
        "availability_ppm": measured.success_ppm,
    }
    promised = getattr(service.contract.guarantees, promise)
    return {
        "service": service.name,
        "promise": promise,
        "promised": promised,
        "measured": seen[promise],
        "calls": measured.calls,
    }
