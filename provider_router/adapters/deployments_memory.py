"""The deployments' state, in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import TypeAlias

from provider_router.adapters.deployment_metrics import count_effect
from provider_router.domain.contracts.promises import broken_promises
from provider_router.domain.contracts.provider import Deployment, Target
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.decisions.service_state import Measured
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.balance import Berth, lent, unavailable
from provider_router.domain.traffic.call_window import measured_together
from provider_router.domain.traffic.condition import Condition, condition_of, load_of, paused_until
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.key_health import KeyHealth
from provider_router.domain.traffic.lease import CallReport, Lease, Unavailable
from provider_router.domain.traffic.station import HealthPolicy, Loan, Moment, Site, Station
from provider_router.ports.credentials import Credentials
from shared.circuit_breaker import CircuitBreaker
from shared.clock import Clock

_Place: TypeAlias = tuple[str, str, str, str]
"""Service or provider, deployment and its two addresses: at another address is another deployment."""


class MemoryDeployments:
    """Implements `Deployments`.

    State belongs to a model at a deployment at an address, whatever else of the configuration changes; a call that
    began on an older snapshot shares it. What the newest snapshot does not have is dropped once no lease is out.

    Args:
        credentials: Which keys there are.
        clock: Time.
        random: Random numbers from 0 to 1, for breakers.
        policy: How health is kept.
    """

    def __init__(
        self, credentials: Credentials, clock: Clock, random: Callable[[], float], policy: HealthPolicy | None = None
    ) -> None:
        self._key_of = credentials.key_of
        self._clock = clock
        self._random = random
        self._policy = policy or HealthPolicy()
        self._stations: dict[_Place, Station] = {}
        self._sites: dict[_Place, Site] = {}
        # What was worked out for a service of one snapshot; another snapshot's is worked out anew.
        self._berths: dict[str, tuple[Service, tuple[Berth, ...]]] = {}
        self._loans: dict[int, Loan] = {}
        self._snapshot: RegistrySnapshot | None = None
        self._kept: set[_Place] = set()
        # Stations that the newest snapshot does not have, and that calls of an older one still use.
        self._leaving: set[_Place] = set()
        self._changes = 0
        self._reports = 0

    @property
    def changes(self) -> int:
        """Counts up when a report or the configuration changes more than a measurement."""
        return self._changes

    @property
    def reports(self) -> int:
        """Counts up with every report."""
        return self._reports

    def acquire(self, service: Service, tried: Collection[Target] = ()) -> Lease | Unavailable:
        """Lends a place at the best deployment, with one of its usable keys; those of `tried` last."""
        now = self._clock.monotonic()
        berths = self.berths_of(service)
        loan = lent(service.name, berths, now, self._key_of, tried)
        if loan is None:
            return unavailable(berths, now, self._key_of)
        # By identity: two leases of the same place are equal.
        self._loans[id(loan.lease)] = loan
        self._changes += loan.permit.trial
        return loan.lease

    def release(self, lease: Lease, report: CallReport) -> None:
        """Takes the place back, and learns from the report. A lease that is not out changes nothing."""
        loan = self._loans.pop(id(lease), None)
        if loan is None:
            return
        self._reports += 1
        self._changes += loan.permit.trial
        moment = Moment(self._clock.monotonic(), self._clock.now(), self._random())
        effects = loan.station.settle(loan, report, moment)
        for effect in effects:
            self._changes += 1
            count_effect(effect, loan)
        if self._leaving and not loan.station.in_flight:
            self._drop_if_leaving(loan)

    def statuses(self, snapshot: RegistrySnapshot) -> Sequence[DeploymentStatus]:
        """Every model at every deployment, in the order of the providers."""
        now = self._clock.monotonic()
        return [
            self._status(service, berth, now) for service in _by_provider(snapshot) for berth in self.berths_of(service)
        ]

    def follow(self, snapshot: RegistrySnapshot) -> None:
        """Takes `snapshot`, in which every service of every organisation stands, as the newest.

        What it does not have is dropped, now or when the last lease is back. Keys that a provider refused are tried
        again when the configuration of that provider changed.
        """
        if snapshot is self._snapshot:
            return
        before, self._snapshot = self._snapshot, snapshot
        self._changes += 1
        changed = [p for p in snapshot.providers.values() if before and before.providers.get(p.name) != p]
        self._reinstate({provider.name for provider in changed})
        self._berths = {name: made for name, made in self._berths.items() if name in snapshot.services}
        self._kept = _places(snapshot)
        self._stations = {
            place: station for place, station in self._stations.items() if place in self._kept or station.in_flight
        }
        self._leaving = {place for place in self._stations if place not in self._kept}
        sites = {id(station.site) for station in self._stations.values()}
        self._sites = {place: site for place, site in self._sites.items() if id(site) in sites}

    def berths_of(self, service: Service) -> tuple[Berth, ...]:
        """The deployments of `service` as its snapshot has them, with their state."""
        made = self._berths.get(service.name)
        if made is None or made[0] is not service:
            berths = tuple(self._berth(service, deployment) for deployment in service.provider.deployments)
            made = self._berths[service.name] = (service, berths)
        return made[1]

    def condition_of(self, service: Service) -> Condition:
        """How `service` is now."""
        return condition_of(self.berths_of(service), self._clock.monotonic(), self._key_of)

    def measured_of(self, service: Service) -> Measured:
        """What was observed of `service` at all its deployments together."""
        return measured_together((berth.station.window for berth in self.berths_of(service)), self._clock.monotonic())

    def load_of(self, service: Service) -> int:
        """How busy its deployments are, in millionths."""
        return load_of(self.berths_of(service))

    def probed(self, berths: Collection[Berth], reason: Reason | None, *, is_there: bool) -> None:
        """Learns from a probe of the address of `berths`: why there was no good answer, and whether there was one."""
        now = self._clock.monotonic()
        for berth in berths:
            self._changes += berth.station.probed(reason, now, is_there=is_there)

    def usable_target(self, berth: Berth) -> Target | None:
        """A target of `berth` whose key is there and was not retired; None without one."""
        now = self._clock.monotonic()
        return next((target for target in berth.targets if berth.is_usable(target, now, self._key_of)), None)

    def _berth(self, service: Service, deployment: Deployment) -> Berth:
        provider = service.provider
        place = _place(service.name, deployment)
        station = self._stations.get(place)
        if station is None:
            site = self._sites.setdefault(_place(provider.name, deployment), Site())
            station = self._stations[place] = Station(site, self._policy, CircuitBreaker(self._policy.breaker))
            if self._snapshot is not None and place not in self._kept:
                self._leaving.add(place)
        targets = tuple(target for target in provider.targets() if target.deployment is deployment)
        for target in targets:
            station.keys.setdefault(target.key_env, KeyHealth())
        return Berth(station, deployment, targets)

    def _reinstate(self, providers: Collection[str]) -> None:
        for place, station in self._stations.items():
            if place[0].partition("/")[0] in providers:
                for key in station.keys.values():
                    key.reinstate()

    def _drop_if_leaving(self, loan: Loan) -> None:
        place = _place(loan.lease.service, loan.lease.target.deployment)
        if place in self._leaving:
            self._leaving.remove(place)
            self._stations.pop(place, None)
            self._berths.pop(loan.lease.service, None)

    def _status(self, service: Service, berth: Berth, now: float) -> DeploymentStatus:
        station = berth.station
        measured = station.window.measured(now)
        station.broken_promises = broken_promises(service.contract.guarantees, measured, station.broken_promises)
        keys = [self._key_of(target) for target in berth.targets]
        paused = paused_until(berth, now, self._key_of)
        return DeploymentStatus(
            service=service.name,
            deployment=berth.deployment.name,
            breaker=station.breaker.state(now),
            paused_until=None if paused is None else self._clock.now() + timedelta(seconds=paused - now),
            in_flight=station.in_flight,
            measured=measured,
            broken_promises=station.broken_promises,
            usable_keys=sum(
                bool(key) and berth.is_usable(target, now, self._key_of)
                for key, target in zip(keys, berth.targets, strict=True)
            ),
            configured_keys=sum(key != "" for key in keys),
            last_error_reason=station.last_reason,
            missing_keys=keys.count(None),
            called_time=station.called_time,
            is_probed=station.is_probed,
            seems_back=bool(station.failing_since is not None and station.seems_back),
        )


def _place(name: str, deployment: Deployment) -> _Place:
    return (name, deployment.name, deployment.chat_url, deployment.embed_url)


def _places(snapshot: RegistrySnapshot) -> set[_Place]:
    return {
        _place(name, deployment)
        for name, service in snapshot.services.items()
        for deployment in service.provider.deployments
    }


def _by_provider(snapshot: RegistrySnapshot) -> list[Service]:
    """The services by the configuration's order of their providers, and within one by name."""
    order: Mapping[str, int] = {name: index for index, name in enumerate(snapshot.providers)}
    last = len(order)
    return sorted(snapshot.services.values(), key=lambda service: order.get(service.provider.name, last))
