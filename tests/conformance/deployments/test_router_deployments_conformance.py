"""What every `Deployments` holds: the one in memory, and the fake that stands in for it."""

from __future__ import annotations

import dataclasses

import pytest
from router_fakes import FakeCredentials, FakeDeployments, provider_spec, service_of, snapshot_of

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.domain.contracts.provider import Deployment
from provider_router.domain.contracts.service import Service
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.lease import CallReport, Lease, Unavailable
from provider_router.ports.deployments import Deployments
from shared.circuit_breaker import Breaker
from shared.testing.fakes import FakeClock

GOOD = CallReport(first_token_ms=100, output_tokens=20, duration_ms=300)
DOWN = CallReport(Reason.PROVIDER_UNREACHABLE)
REFUSED = CallReport(Reason.PROVIDER_REFUSED_KEY)
LIMITED = CallReport(Reason.PROVIDER_RATE_LIMITED, retry_after_s=30)
GIVEN_UP = CallReport(finished=False)


def service_at(*deployments: Deployment, name: str = "one/m") -> Service:
    return service_of(name, provider=provider_spec("one", deployments=deployments))


def place(name: str, *key_envs: str, **changes: object) -> Deployment:
    return Deployment(name, f"http://{name}.test/v1", f"http://{name}.test/v1", key_envs, **changes)


@pytest.fixture(params=["memory", "fake"])
def make(request: pytest.FixtureRequest):
    def made(**keys: str | None) -> Deployments:
        credentials = FakeCredentials(**keys)
        if request.param == "fake":
            return FakeDeployments(credentials)
        return MemoryDeployments(credentials, FakeClock(), lambda: 0.0)

    return made


def call(deployments: Deployments, service: Service, report: CallReport) -> Lease:
    lease = deployments.acquire(service)
    assert isinstance(lease, Lease)
    deployments.release(lease, report)
    return lease


def refusal(deployments: Deployments, service: Service) -> Reason:
    answer = deployments.acquire(service)
    assert isinstance(answer, Unavailable)
    assert answer.retry_after_s is None or answer.retry_after_s >= 0
    return answer.reason


def test_a_lease_says_what_may_be_called(make) -> None:
    service = service_at(place("a", "KEY"))
    lease = call(make(KEY="k"), service, GOOD)
    assert lease.service == "one/m"
    assert lease.target == service.provider.targets()[0]
    assert lease.trial is False


def test_deployments_that_were_tried_go_last(make) -> None:
    service = service_at(place("a", weight=100), place("b"))
    deployments = make()
    tried = []
    for _ in range(2):
        lease = deployments.acquire(service, tried)
        deployments.release(lease, DOWN)
        tried.append(lease.target)
    assert {target.deployment.name for target in tried} == {"a", "b"}
    assert isinstance(deployments.acquire(service, tried), Lease)


def test_another_key_of_a_deployment_that_was_tried_is_used_before_the_same_one(make) -> None:
    service = service_at(place("a", "K1", "K2"))
    deployments = make(K1="x", K2="y")
    tried = []
    for _ in range(2):
        lease = deployments.acquire(service, tried)
        deployments.release(lease, DOWN)
        tried.append(lease.target)
    assert {target.key_env for target in tried} == {"K1", "K2"}


def test_a_limited_key_rests_and_the_next_one_is_used_at_once(make) -> None:
    service = service_at(place("a", "K1", "K2"))
    deployments = make(K1="x", K2="y")
    first = call(deployments, service, LIMITED)
    others = {call(deployments, service, GOOD).target.key_env for _ in range(4)}
    assert others == {"K1", "K2"} - {first.target.key_env}
    call(deployments, service, LIMITED)
    assert refusal(deployments, service) is Reason.PROVIDER_RATE_LIMITED


def test_a_refused_key_is_used_no_more(make) -> None:
    service = service_at(place("a", "K1", "K2"))
    deployments = make(K1="x", K2="y")
    first = call(deployments, service, REFUSED)
    others = {call(deployments, service, GOOD).target.key_env for _ in range(4)}
    assert first.target.key_env not in others
    call(deployments, service, REFUSED)
    assert refusal(deployments, service) is Reason.PROVIDER_REFUSED_KEY
    (status,) = deployments.statuses(snapshot_of(service))
    assert (status.usable_keys, status.configured_keys, status.missing_keys) == (0, 2, 0)


def test_a_deployment_without_its_key_is_not_configured(make) -> None:
    service = service_at(place("a", "ABSENT"), place("b", "KEY"))
    deployments = make(KEY="k")
    assert {call(deployments, service, GOOD).target.deployment.name for _ in range(4)} == {"b"}
    alone = service_at(place("a", "ABSENT"))
    assert refusal(deployments, alone) is Reason.PROVIDER_NOT_CONFIGURED


def test_a_deployment_that_fails_again_and_again_is_called_no_more(make) -> None:
    service = service_at(place("a"))
    deployments = make()
    failed = 0
    while isinstance(lease := deployments.acquire(service), Lease):
        deployments.release(lease, DOWN)
        failed += 1
        assert failed < 50
    assert failed > 1
    assert lease.reason is Reason.CIRCUIT_OPEN
    (status,) = deployments.statuses(snapshot_of(service))
    assert status.breaker is Breaker.OPEN
    assert status.last_error_reason == "PROVIDER_UNREACHABLE"


@pytest.mark.parametrize("report", [LIMITED, REFUSED, GIVEN_UP, CallReport(Reason.CONTEXT_TOO_LONG)])
def test_what_is_no_fault_of_the_provider_opens_no_breaker(make, report: CallReport) -> None:
    service = service_at(place("a"))
    deployments = make()
    for _ in range(30):
        lease = deployments.acquire(service)
        if isinstance(lease, Unavailable):
            assert lease.reason in {Reason.PROVIDER_RATE_LIMITED, Reason.PROVIDER_REFUSED_KEY}
            break
        deployments.release(lease, report)
    (status,) = deployments.statuses(snapshot_of(service))
    assert status.breaker is Breaker.CLOSED


def test_no_more_calls_at_once_than_the_deployment_takes_whatever_the_model(make) -> None:
    deployment = place("a", max_in_flight=2)
    one, other = service_at(deployment), service_at(deployment, name="one/other")
    deployments = make()
    first, _second = deployments.acquire(one), deployments.acquire(other)
    assert refusal(deployments, one) is Reason.DEPLOYMENTS_BUSY
    deployments.release(first, GIVEN_UP)
    assert isinstance(deployments.acquire(other), Lease)
    assert refusal(deployments, one) is Reason.DEPLOYMENTS_BUSY


def test_every_lease_comes_back_once(make) -> None:
    service = service_at(place("a"), place("b"))
    deployments, snapshot = make(), snapshot_of(service)
    leases = [deployments.acquire(service) for _ in range(6)]
    assert sum(status.in_flight for status in deployments.statuses(snapshot)) == 6
    for lease in leases:
        deployments.release(lease, GOOD)
        deployments.release(lease, DOWN)
        # A lease that looks the same is another lease.
        deployments.release(dataclasses.replace(lease), DOWN)
    statuses = deployments.statuses(snapshot)
    assert [status.in_flight for status in statuses] == [0, 0]
    assert [status.last_error_reason for status in statuses] == ["", ""]


def test_statuses_show_every_model_at_every_deployment_in_the_providers_order(make) -> None:
    last = service_of("a/m", provider=provider_spec("a", deployments=(place("x"),)))
    first = service_at(place("b"), place("a"))
    deployments = make()
    statuses = deployments.statuses(snapshot_of(first, last))
    assert [(status.service, status.deployment) for status in statuses] == [
        ("one/m", "b"),
        ("one/m", "a"),
        ("a/m", "x"),
    ]
    for status in statuses:
        assert (status.measured.calls, status.in_flight, status.last_error_reason) == (0, 0, "")
        assert (status.usable_keys, status.configured_keys) == (0, 0)
        assert status.paused_until is None


def test_measurements_count_what_says_something(make) -> None:
    service = service_at(place("a"))
    deployments = make()
    for report in (GOOD, GOOD, DOWN, CallReport(Reason.PROVIDER_REFUSED_REQUEST), GIVEN_UP, LIMITED):
        call(deployments, service, report)
    (status,) = deployments.statuses(snapshot_of(service))
    assert (status.measured.calls, status.measured.success_ppm) == (4, 750_000)
