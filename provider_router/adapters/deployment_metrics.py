"""Metrics of deployments: what changed, as counters, and how they are, as gauges.

Labels are names from the configuration and closed sets. Organisations may register any number of models: in the gauges,
those of a provider share the label `registered`, with the worst breaker, all calls and the fewest keys. Gauges are set
every two seconds by a task of their own, and not by calls, so that a call pays for none.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Protocol, TypeAlias

from prometheus_client import Counter, Gauge

from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.station import Effect, Loan
from provider_router.ports.deployments import Deployments
from shared.circuit_breaker import Breaker
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_PLACE = ("provider", "model", "deployment")
_OPENINGS = Counter("nexus_router_breaker_openings_total", "How often circuit breakers opened.", _PLACE)
_CLOSINGS = Counter("nexus_router_breaker_closings_total", "How often trials closed circuit breakers.", _PLACE)
_RETIREMENTS = Counter("nexus_router_key_retirements_total", "Keys that a provider refused.", _PLACE)
_COOLDOWNS = Counter("nexus_router_cooldowns_total", "Pauses that providers asked for or rate limits made.", _PLACE)
_STATE = Gauge("nexus_router_breaker_state", "0 is closed, 1 half-open, 2 open.", _PLACE)
_IN_FLIGHT = Gauge("nexus_router_in_flight", "Calls at once.", _PLACE)
_KEYS = Gauge("nexus_router_keys_usable", "Keys that are there and were not refused.", _PLACE)
_GAUGES = (_STATE, _IN_FLIGHT, _KEYS)
_COUNTERS = {
    Effect.OPENED: _OPENINGS,
    Effect.CLOSED: _CLOSINGS,
    Effect.KEY_RETIRED: _RETIREMENTS,
    Effect.COOLED: _COOLDOWNS,
}
_STATES = {Breaker.CLOSED: 0, Breaker.HALF_OPEN: 1, Breaker.OPEN: 2}
_PERIOD_S = 2.0
_REGISTERED = "registered"
_COUNTED_CAP = 1000
_counted: set[str] = set()
_Place: TypeAlias = tuple[str, str, str]


def count_effect(effect: Effect, loan: Loan) -> None:
    """Counts what a report changed, and logs it. The log names the key's variable, never the key."""
    deployment = loan.lease.target.deployment.name
    _COUNTERS[effect].labels(*_shown_names(loan.lease.service), deployment).inc()
    place = {"service": loan.lease.service, "deployment": deployment}
    match effect:
        case Effect.OPENED:
            _log.warning("breaker_opened", **place, reason=loan.station.last_reason)
        case Effect.CLOSED:
            _log.info("breaker_closed", **place)
        case Effect.KEY_RETIRED:
            _log.warning("key_retired", **place, key_env=loan.lease.target.key_env)
        case Effect.COOLED:
            _log.info("cooling_down", **place, reason=loan.station.last_reason)


def _shown_names(service: str) -> tuple[str, str]:
    """Provider and model as labels of counters, which stay; models beyond the cap, made by registering, share one."""
    provider, _, model = service.partition("/")
    if service not in _counted and len(_counted) >= _COUNTED_CAP:
        return provider, "_other"
    _counted.add(service)
    return provider, model


class Everything(Protocol):
    """Knows all services: `ports.service_registry.ServiceRegistry`, as far as it is needed here."""

    def everything(self) -> RegistrySnapshot:
        """Every service of every organisation."""
        ...


class DeploymentGauges:
    """Shows how the deployments are as gauges."""

    def __init__(self, deployments: Deployments, registry: Everything) -> None:
        self._deployments = deployments
        self._registry = registry
        self._shown: frozenset[_Place] = frozenset()

    async def run(self) -> None:
        """Shows them every two seconds until cancelled."""
        while True:
            self.show(self._registry.everything())
            await asyncio.sleep(_PERIOD_S)

    def show(self, snapshot: RegistrySnapshot) -> None:
        """Sets the gauges of what is in `snapshot`, and removes those of what is no longer there."""
        places: defaultdict[_Place, list[DeploymentStatus]] = defaultdict(list)
        for status in self._deployments.statuses(snapshot):
            provider, _, model = status.service.partition("/")
            is_registered = bool(snapshot.services[status.service].contract.org_id)
            places[provider, _REGISTERED if is_registered else model, status.deployment].append(status)
        for place, statuses in places.items():
            _STATE.labels(*place).set(max(_STATES[status.breaker] for status in statuses))
            _IN_FLIGHT.labels(*place).set(sum(status.in_flight for status in statuses))
            _KEYS.labels(*place).set(min(status.usable_keys for status in statuses))
        for place in self._shown - places.keys():
            for gauge in _GAUGES:
                gauge.remove(*place)
        self._shown = frozenset(places)
