"""Whoever registers, calls and removes contracts again and again does not fill the router's memory with metrics."""

from __future__ import annotations

import pytest
from prometheus_client import REGISTRY
from router_fakes import FakeCredentials, service_of

from provider_router.adapters import deployment_metrics
from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.lease import CallReport
from shared.testing.fakes import FakeClock


def models() -> set[str]:
    samples = (sample for metric in REGISTRY.collect() for sample in metric.samples)
    return {
        each.labels["model"]
        for each in samples
        if each.name == "nexus_router_key_retirements_total" and each.labels["provider"] == "churn"
    }


def test_counters_of_models_beyond_the_cap_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment_metrics, "_COUNTED_CAP", len(deployment_metrics._counted) + 2)
    deployments = MemoryDeployments(FakeCredentials(), FakeClock(), lambda: 0.0)
    for number in range(5):
        lease = deployments.acquire(service_of(f"churn/m{number}"))
        deployments.release(lease, CallReport(Reason.PROVIDER_REFUSED_KEY))
    assert models() == {"m0", "m1", "_other"}
