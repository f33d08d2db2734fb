"""What a new configuration keeps of the deployments' state, and what it drops."""

from __future__ import annotations

import dataclasses

from router_fakes import FakeCredentials, provider_spec, service_of, snapshot_of

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.domain.contracts.provider import Deployment
from provider_router.domain.contracts.service import RegistrySnapshot, Service
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.lease import CallReport, Lease
from shared.circuit_breaker import Breaker
from shared.testing.fakes import FakeClock

GOOD = CallReport(first_token_ms=100, output_tokens=20, duration_ms=300)
DOWN = CallReport(Reason.PROVIDER_TIMEOUT)


def place(name: str = "a", url: str = "http://a.test/v1", *key_envs: str, **changes: object) -> Deployment:
    return Deployment(name, url, url, key_envs, **changes)


def service_at(*deployments: Deployment) -> Service:
    return service_of("one/m", provider=provider_spec("one", deployments=deployments))


def lender(**keys: str) -> MemoryDeployments:
    return MemoryDeployments(FakeCredentials(**keys), FakeClock(), lambda: 0.0)


def fail(deployments: MemoryDeployments, service: Service, times: int = 5) -> None:
    for _ in range(times):
        deployments.release(deployments.acquire(service), DOWN)


def status_of(deployments: MemoryDeployments, snapshot: RegistrySnapshot) -> DeploymentStatus:
    deployments.follow(snapshot)
    (status,) = deployments.statuses(snapshot)
    return status


def test_state_survives_a_change_of_weight_places_and_keys() -> None:
    deployments = lender(K1="x", K2="y")
    before = service_at(place("a", "http://a.test/v1", "K1"))
    deployments.follow(snapshot_of(before))
    fail(deployments, before)
    after = service_at(place("a", "http://a.test/v1", "K1", "K2", weight=7, max_in_flight=3))
    status = status_of(deployments, snapshot_of(after))
    assert status.breaker is Breaker.OPEN
    assert (status.measured.calls, status.usable_keys) == (5, 2)


def test_another_address_is_another_deployment() -> None:
    deployments = lender()
    before = service_at(place())
    deployments.follow(snapshot_of(before))
    fail(deployments, before)
    status = status_of(deployments, snapshot_of(service_at(place("a", "http://b.test/v1"))))
    assert status.breaker is Breaker.CLOSED
    assert status.measured.calls == 0


def test_a_call_of_the_older_snapshot_shares_the_state_and_the_places() -> None:
    deployments = lender()
    old, new = service_at(place(max_in_flight=2)), service_at(place(max_in_flight=2, weight=5))
    deployments.follow(snapshot_of(old))
    first = deployments.acquire(old)
    deployments.follow(snapshot_of(new))
    assert isinstance(deployments.acquire(new), Lease)
    assert deployments.acquire(old).reason is Reason.DEPLOYMENTS_BUSY
    deployments.release(first, GOOD)
    assert isinstance(deployments.acquire(old), Lease)
    assert status_of(deployments, snapshot_of(new)).in_flight == 2


def test_what_vanished_is_dropped_at_once_or_with_its_last_lease() -> None:
    deployments = lender()
    services = [service_of(f"p{index}/m") for index in range(10)]
    deployments.follow(snapshot_of(*services))
    held = deployments.acquire(services[0])
    deployments.follow(snapshot_of(services[9]))
    assert len(deployments._stations) == 1
    deployments.statuses(snapshot_of(services[9]))
    assert len(deployments._stations) == 2
    deployments.release(held, GOOD)
    assert len(deployments._stations) == 1
    deployments.follow(snapshot_of(services[9], chain=[]))
    assert len(deployments._sites) == 1


def test_a_late_call_of_an_older_snapshot_leaves_nothing_behind() -> None:
    deployments = lender()
    gone, here = service_of("gone/m"), service_of("here/m")
    deployments.follow(snapshot_of(here))
    lease = deployments.acquire(gone)
    deployments.release(lease, GOOD)
    assert deployments._stations == deployments._berths == {}


def test_what_comes_back_after_it_vanished_begins_anew() -> None:
    deployments = lender()
    service, other = service_at(place()), service_of("other/m")
    deployments.follow(snapshot_of(service))
    fail(deployments, service)
    deployments.follow(snapshot_of(other))
    assert status_of(deployments, snapshot_of(service)).breaker is Breaker.CLOSED


def test_a_change_of_a_provider_puts_its_refused_keys_back_into_use_and_no_others() -> None:
    deployments = lender(K1="x", K2="y")
    one = service_of("one/m", provider=provider_spec("one", key_envs=("K1",)))
    two = service_of("two/m", provider=provider_spec("two", key_envs=("K2",)))
    deployments.follow(snapshot_of(one, two))
    for service in (one, two):
        deployments.release(deployments.acquire(service), CallReport(Reason.PROVIDER_REFUSED_KEY))
    changed = dataclasses.replace(one, provider=dataclasses.replace(one.provider, max_tokens_parameter="n"))
    deployments.follow(snapshot_of(changed, two))
    statuses = deployments.statuses(snapshot_of(changed, two))
    assert [status.usable_keys for status in statuses] == [1, 0]


def test_many_changes_of_the_configuration_leave_no_state_behind() -> None:
    deployments = lender()
    for index in range(200):
        service = service_at(place("a", f"http://a{index}.test/v1"))
        lease = deployments.acquire(service)
        deployments.follow(snapshot_of(service))
        deployments.release(lease, GOOD)
    assert len(deployments._stations) == len(deployments._sites) == len(deployments._berths) == 1
