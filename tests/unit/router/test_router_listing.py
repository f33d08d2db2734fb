from __future__ import annotations

from datetime import UTC, datetime

import pytest
from router_fakes import FakeCatalog, FakeChatModel, FakeModelSource, catalog_of, model_spec

from provider_router.adapters.provider_observations_memory import MemoryProviderObservations
from provider_router.domain.provider_health import Observation, ProviderState
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def test_models_stand_in_the_chains_order_then_the_files() -> None:
    models = [model_spec("a/1"), model_spec("b/2"), model_spec("c/3")]
    listed = ListModels(FakeCatalog(catalog_of(*models, chain=["c/3", "a/1"])))()
    assert [model.full_name for model in listed] == ["c/3", "a/1", "b/2"]


@pytest.mark.parametrize(
    ("observation", "configured", "state"),
    [
        (None, True, ProviderState.UNKNOWN),
        (Observation(NOW), True, ProviderState.AVAILABLE),
        (Observation(NOW, "PROVIDER_TIMEOUT"), True, ProviderState.FAILING),
        (None, False, ProviderState.NOT_CONFIGURED),
        (Observation(NOW), False, ProviderState.NOT_CONFIGURED),
    ],
)
def test_how_a_provider_is(observation: Observation | None, configured: object, state: ProviderState) -> None:
    observations = MemoryProviderObservations()
    if observation is not None:
        observations.record("a", observation)
    source = FakeModelSource({"a/1": FakeChatModel()} if configured else {})
    report = ListProviders(FakeCatalog(catalog_of(model_spec("a/1")), "v7", "line 3"), source, observations)()
    assert [provider.state for provider in report.providers] == [state]
    assert report.providers[0].observation == observation
    assert report.providers[0].models == ("a/1",)
    assert (report.config_version, report.config_error) == ("v7", "line 3")


def test_the_last_observation_counts() -> None:
    observations = MemoryProviderObservations()
    observations.record("a", Observation(NOW, "PROVIDER_ERROR"))
    observations.record("a", Observation(NOW))
    observations.record("b", Observation(NOW, "PROVIDER_ERROR"))
    assert observations.last("a") == Observation(NOW)
    assert observations.last("c") is None
