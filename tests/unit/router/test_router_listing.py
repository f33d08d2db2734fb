"""What is listed of models and providers."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from router_decision_fakes import FakeProblems
from router_fakes import (
    FakeChatModel,
    FakeCredentials,
    FakeDeployments,
    FakeModelSource,
    FakeRegistry,
    provider_spec,
    service_of,
    snapshot_of,
)

from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.decisions.service_state import Measured
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.domain.traffic.lease import CallReport
from provider_router.domain.traffic.provider_health import ProviderState, state_of
from provider_router.use_cases.find_troubles import FindTroubles
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders
from shared.circuit_breaker import Breaker
from shared.testing.fakes import FakeClock

NOW = datetime(2026, 11, 20, tzinfo=UTC)
NEW = DeploymentStatus("a/1", "x", Breaker.CLOSED, None, 0, Measured(), (), 1, 1, "")
WORKED = dataclasses.replace(NEW, called_time=NOW)
FAILED = dataclasses.replace(WORKED, last_error_reason="PROVIDER_TIMEOUT")
OTHER = {"deployment": "y"}
LATER = {"called_time": NOW + timedelta(seconds=1)}


def with_(status: DeploymentStatus, **changes: object) -> DeploymentStatus:
    return dataclasses.replace(status, **changes)


def test_models_stand_in_the_chains_order_then_the_files() -> None:
    models = [service_of("a/1"), service_of("b/2"), service_of("c/3")]
    registry = FakeRegistry(snapshot_of(*models, chain=["c/3", "a/1"]))
    source = FakeModelSource({"b/2": FakeChatModel()})
    listed = ListModels(
        registry, FindTroubles(registry, FakeProblems(), source, FakeDeployments()), source, FakeClock()
    )("org-a")
    assert [model.service.name for model in listed.models] == ["c/3", "a/1", "b/2"]
    assert [model.configured for model in listed.models] == [False, False, True]
    assert [model.price_unknown for model in listed.models] == [True, True, True]
    assert listed.chat_chain == ("c/3", "a/1")


@pytest.mark.parametrize(
    ("statuses", "state"),
    [
        ([], ProviderState.UNKNOWN),
        ([NEW], ProviderState.UNKNOWN),
        ([WORKED], ProviderState.AVAILABLE),
        ([FAILED], ProviderState.FAILING),
        # Probes count before the first call.
        ([with_(NEW, is_probed=True)], ProviderState.AVAILABLE),
        ([with_(NEW, is_probed=True, last_error_reason="PROVIDER_UNREACHABLE")], ProviderState.FAILING),
        # The last call of a deployment counts, whatever the model; one deployment that works is enough.
        ([WORKED, with_(FAILED, **LATER)], ProviderState.FAILING),
        ([FAILED, with_(WORKED, **LATER)], ProviderState.AVAILABLE),
        ([FAILED, with_(WORKED, **OTHER)], ProviderState.AVAILABLE),
        ([with_(WORKED, breaker=Breaker.OPEN)], ProviderState.FAILING),
        # A probe was answered since the last call failed.
        ([with_(FAILED, seems_back=True)], ProviderState.AVAILABLE),
        ([with_(FAILED, seems_back=True, breaker=Breaker.HALF_OPEN)], ProviderState.AVAILABLE),
        ([with_(FAILED, seems_back=True, usable_keys=0)], ProviderState.FAILING),
        # Keys: missing is not configured, refused is failing, none needed is fine.
        ([with_(WORKED, usable_keys=0, missing_keys=1)], ProviderState.NOT_CONFIGURED),
        ([with_(NEW, usable_keys=0, missing_keys=1), with_(WORKED, **OTHER)], ProviderState.AVAILABLE),
        ([with_(WORKED, usable_keys=0)], ProviderState.FAILING),
        ([with_(WORKED, usable_keys=0, configured_keys=0)], ProviderState.AVAILABLE),
    ],
)
def test_how_a_provider_is(statuses: list[DeploymentStatus], state: ProviderState) -> None:
    assert state_of(statuses) is state


def test_providers_are_listed_with_their_models_and_deployments() -> None:
    one = service_of("one/m", provider=provider_spec("one", key_envs=("ABSENT",)))
    services = [service_of("two/n"), service_of("two/m"), one]
    deployments = FakeDeployments(FakeCredentials())
    deployments.release(deployments.acquire(services[0]), CallReport(Reason.PROVIDER_TIMEOUT))
    problems = FakeProblems((ConfigurationProblem("limits.yaml", 3, "wrong", datetime(2026, 11, 20, tzinfo=UTC)),))
    registry = FakeRegistry(snapshot_of(*services), "v7")
    troubles = FindTroubles(registry, problems, FakeModelSource({"two/n": FakeChatModel()}), deployments)
    report = ListProviders(registry, troubles, deployments)("org-a")
    assert (report.config_version, report.troubles.problems) == ("v7", problems.found)
    assert [each.name for each in report.troubles.unusable] == ["one"]
    assert [provider.provider.name for provider in report.providers] == ["two", "one"]
    assert report.providers[0].models == ("two/m", "two/n")
    assert [status.service for status in report.providers[0].deployments] == ["two/m", "two/n"]
    assert report.providers[1].state is ProviderState.NOT_CONFIGURED


def test_a_key_that_was_refused_is_told_until_another_call_works() -> None:
    deployments = MemoryDeployments(FakeCredentials(KEY="k"), FakeClock(), lambda: 0.0)
    service = service_of("p/a", provider=provider_spec("p", key_envs=("KEY",)))
    registry = FakeRegistry(snapshot_of(service, service_of("q/a")))
    source = FakeModelSource({"p/a": FakeChatModel(), "q/a": FakeChatModel()})
    troubles = FindTroubles(registry, FakeProblems(), source, deployments)
    assert troubles("org").unusable == ()
    deployments.probed(deployments.berths_of(service), Reason.PROVIDER_REFUSED_KEY, is_there=True)
    told = [("p", "It refused its key: the environment variable KEY is not right.")]
    assert [(each.name, each.reason) for each in troubles("org").unusable] == told
    deployments.release(deployments.acquire(service), CallReport(None))
    assert troubles("org").unusable == ()
    deployments.release(deployments.acquire(service), CallReport(Reason.PROVIDER_REFUSED_KEY))
    assert [(each.name, each.reason) for each in troubles("org").unusable] == told


def test_the_last_call_of_a_provider_is_shown() -> None:
    clock = FakeClock()
    deployments = MemoryDeployments(FakeCredentials(), clock, lambda: 0.0)
    first, second = service_of("p/a"), service_of("p/b")
    registry = FakeRegistry(snapshot_of(first, second))
    listed = ListProviders(
        registry, FindTroubles(registry, FakeProblems(), FakeModelSource(), deployments), deployments
    )
    assert listed("org").providers[0].last is None
    for service, reason in ((second, None), (first, Reason.PROVIDER_TIMEOUT)):
        clock.advance(1)
        deployments.release(deployments.acquire(service), CallReport(reason))
    # Neither the caller's own fault nor a call that was given up is one of the provider's.
    clock.advance(1)
    deployments.release(deployments.acquire(second), CallReport(Reason.CONTEXT_TOO_LONG))
    deployments.release(deployments.acquire(second), CallReport(finished=False))
    last = listed("org").providers[0].last
    assert (last.service, last.last_error_reason) == ("p/a", "PROVIDER_TIMEOUT")
    assert last.called_time == clock.now() - timedelta(seconds=1)
