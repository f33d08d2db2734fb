"""What breakers, keys, pauses and places look like in Prometheus."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from router_fakes import FakeCredentials, provider_spec, service_of, snapshot_of

from provider_router.adapters.deployment_metrics import DeploymentGauges
from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.lease import CallReport
from shared.testing.fakes import FakeClock


def sample(name: str, provider: str) -> float | None:
    labels = {"provider": provider, "model": "m", "deployment": "default"}
    return REGISTRY.get_sample_value(f"nexus_router_{name}", labels)


class Registry:
    def __init__(self, snapshot: RegistrySnapshot) -> None:
        self.snapshot = snapshot

    def everything(self) -> RegistrySnapshot:
        return self.snapshot


def test_gauges_show_how_deployments_are_and_forget_what_is_gone() -> None:
    clock = FakeClock()
    kept = service_of("gauge-kept/m", provider=provider_spec("gauge-kept", key_envs=("K1", "K2")))
    gone = service_of("gauge-gone/m")
    deployments = MemoryDeployments(FakeCredentials(K1="x", K2="y"), clock, lambda: 0.0)
    gauges = DeploymentGauges(deployments, Registry(snapshot_of(kept, gone)))
    deployments.acquire(kept)
    for _ in range(5):
        deployments.release(deployments.acquire(gone), CallReport(Reason.PROVIDER_TIMEOUT))
    gauges.show(snapshot_of(kept, gone))
    names = ("breaker_state", "in_flight", "keys_usable")
    assert [sample(name, "gauge-kept") for name in names] == [0, 1, 2]
    assert [sample(name, "gauge-gone") for name in names] == [2, 0, 0]
    clock.advance(5)
    gauges.show(snapshot_of(kept, gone))
    assert sample("breaker_state", "gauge-gone") == 1
    gauges.show(snapshot_of(kept))
    assert [sample(name, "gauge-gone") for name in names] == [None, None, None]


def test_models_that_organisations_registered_share_their_gauges() -> None:
    clock = FakeClock()
    services = [service_of(f"gauge-own/m{number}", org_id="org-a") for number in range(50)]
    services.append(service_of("gauge-own/filed"))
    deployments = MemoryDeployments(FakeCredentials(), clock, lambda: 0.0)
    for service in services[:3]:
        deployments.acquire(service)
    for _ in range(5):
        deployments.release(deployments.acquire(services[7]), CallReport(Reason.PROVIDER_TIMEOUT))
    DeploymentGauges(deployments, Registry(snapshot_of(*services))).show(snapshot_of(*services))
    labels = {"provider": "gauge-own", "deployment": "default"}
    shown = {
        (each.labels["model"], each.name.removeprefix("nexus_router_"), each.value)
        for metric in REGISTRY.collect()
        for each in metric.samples
        if labels.items() <= each.labels.items() and each.name.endswith(("breaker_state", "in_flight"))
    }
    assert shown == {
        ("registered", "breaker_state", 2),
        ("registered", "in_flight", 3),
        ("filed", "breaker_state", 0),
        ("filed", "in_flight", 0),
    }


@pytest.mark.parametrize(
    ("reason", "times", "counter"),
    [
        (Reason.PROVIDER_TIMEOUT, 5, "breaker_openings_total"),
        (Reason.PROVIDER_REFUSED_KEY, 1, "key_retirements_total"),
        (Reason.PROVIDER_RATE_LIMITED, 1, "cooldowns_total"),
    ],
)
def test_what_changes_is_counted_once(reason: Reason, times: int, counter: str) -> None:
    provider = f"count-{reason.value.lower()}"
    service = service_of(f"{provider}/m")
    deployments = MemoryDeployments(FakeCredentials(), FakeClock(), lambda: 0.0)
    # Calls that were under way together say the same thing once.
    for lease in [deployments.acquire(service) for _ in range(times + 3)]:
        deployments.release(lease, CallReport(reason))
    assert sample(counter, provider) == 1


def test_a_closed_breaker_is_counted_and_the_log_names_no_key(capsys: pytest.CaptureFixture[str]) -> None:
    clock = FakeClock()
    service = service_of("closing/m", provider=provider_spec("closing", key_envs=("THE_VARIABLE",)))
    deployments = MemoryDeployments(FakeCredentials(THE_VARIABLE="sk-secret"), clock, lambda: 0.0)
    for _ in range(5):
        deployments.release(deployments.acquire(service), CallReport(Reason.PROVIDER_TIMEOUT))
    clock.advance(5)
    deployments.release(deployments.acquire(service), CallReport(first_token_ms=1))
    deployments.release(deployments.acquire(service), CallReport(Reason.PROVIDER_REFUSED_KEY))
    assert sample("breaker_closings_total", "closing") == 1
    logged = capsys.readouterr().out
    assert "THE_VARIABLE" in logged
    assert "sk-secret" not in logged
