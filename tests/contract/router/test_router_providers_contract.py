"""`ListProviders` on the wire, over deployments in memory."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from router_decision_fakes import FakeProblems
from router_fakes import (
    FakeChatModel,
    FakeCredentials,
    FakeModelSource,
    FakeRegistry,
    provider_spec,
    service_of,
    snapshot_of,
)

from protos.gen.nexus.router.v1 import contract_pb2, router_pb2_grpc
from protos.gen.nexus.router.v1 import router_pb2 as pb
from provider_router.adapters.deployments_memory import MemoryDeployments
from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.contracts.contract import Guarantees
from provider_router.domain.contracts.provider import Deployment
from provider_router.domain.contracts.service import Suspended
from provider_router.domain.errors import Reason
from provider_router.domain.traffic.lease import CallReport
from provider_router.servicer.router_servicer import RouterServicer, RouterUseCases
from provider_router.use_cases.find_troubles import FindTroubles
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal, serving

PLACES = tuple(Deployment(name, f"http://{name}.test/v1", f"http://{name}.test/v1", ("K1", "K2")) for name in "xy")
PROMISED = Guarantees(first_token_p50_ms=50, first_token_p95_ms=50)
KEYED = service_of("keyed/m", provider=provider_spec("keyed", deployments=PLACES), guarantees=PROMISED)
BARE = service_of("bare/m", provider=provider_spec("bare", key_envs=("ABSENT",)))
OWN = service_of("gone/own")
PROBLEM = ConfigurationProblem("providers.yaml", 3, "wrong", datetime(2026, 11, 20, tzinfo=UTC))
OF_ANOTHER = ConfigurationProblem("routing/organisations/x.yaml", 7, "no such tier", PROBLEM.since)
ADMIN = ("providers.read", "models.read", "settings.*", "contracts.update")
GOOD = CallReport(first_token_ms=100, output_tokens=11, duration_ms=200)


class Router:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.deployments = MemoryDeployments(FakeCredentials(K1="x", K2="y"), self.clock, lambda: 0.0)
        snapshot = replace(snapshot_of(KEYED, BARE), suspended={OWN.name: Suspended(OWN.contract, "It is too good.")})
        registry = FakeRegistry(snapshot, "abc")
        models = FakeModelSource({KEYED.name: FakeChatModel()})
        troubles = FindTroubles(registry, FakeProblems((PROBLEM,), (OF_ANOTHER,)), models, self.deployments)
        models_listed = ListModels(registry, troubles, models, self.clock)
        listed = ListProviders(registry, troubles, self.deployments)
        self.use_cases = RouterUseCases(None, None, None, models_listed, listed)

    def call(self, report: CallReport, deployment: str) -> None:
        others = [target for target in KEYED.provider.targets() if target.deployment.name != deployment]
        self.deployments.release(self.deployments.acquire(KEYED, others), report)

    @asynccontextmanager
    async def served(
        self, permissions: Sequence[str] = ADMIN
    ) -> AsyncGenerator[router_pb2_grpc.RouterServiceStub, None]:
        add = router_pb2_grpc.add_RouterServiceServicer_to_server
        descriptor = pb.DESCRIPTOR.services_by_name["RouterService"]
        service = Service("router", [Registration(add, RouterServicer(self.use_cases), descriptor)])
        async with serving(service) as served:
            yield router_pb2_grpc.RouterServiceStub(served.channel_as(principal(permissions=tuple(permissions))))


async def listed(router: Router, *permissions: str) -> pb.ListProvidersResponse:
    async with router.served(permissions or ADMIN) as stub:
        return await stub.ListProviders(pb.ListProvidersRequest(), timeout=5)


async def test_a_new_router_knows_nothing_but_the_configuration() -> None:
    response = await listed(Router())
    assert (response.config_version, response.config_error) == ("abc", "providers.yaml line 3: wrong")
    keyed, bare = response.providers
    assert (keyed.name, keyed.type, keyed.base_url) == ("keyed", "openai_compatible", "http://x.test/v1")
    assert (keyed.state, bare.state) == (pb.PROVIDER_STATE_UNKNOWN, pb.PROVIDER_STATE_NOT_CONFIGURED)
    assert not keyed.HasField("last_call_time")
    assert [(each.model, each.deployment) for each in keyed.deployments] == [("keyed/m", "x"), ("keyed/m", "y")]
    for each in keyed.deployments:
        assert (each.breaker, each.usable_keys, each.configured_keys) == (pb.BREAKER_STATE_CLOSED, 2, 2)
        assert not each.HasField("paused_until")
    assert (bare.deployments[0].usable_keys, bare.deployments[0].configured_keys) == (0, 1)


async def test_everything_that_was_seen_is_on_the_wire() -> None:
    router = Router()
    for _ in range(20):
        router.call(GOOD, "x")
    router.call(CallReport(Reason.PROVIDER_REFUSED_KEY), "x")
    router.deployments.acquire(KEYED, KEYED.provider.targets()[2:])
    for _ in range(5):
        router.call(CallReport(Reason.PROVIDER_TIMEOUT), "y")
    keyed = (await listed(router)).providers[0]
    x, y = keyed.deployments
    assert x.measured == contract_pb2.Measured(
        calls=20, success_ppm=1_000_000, first_token_p50_ms=102, first_token_p95_ms=102, tokens_per_second=102
    )
    assert list(x.broken_promises) == ["first_token_p50_ms", "first_token_p95_ms"]
    assert (x.usable_keys, x.configured_keys, x.in_flight) == (1, 2, 1)
    assert x.last_error_reason == "PROVIDER_REFUSED_KEY"
    assert (y.breaker, y.last_error_reason) == (pb.BREAKER_STATE_OPEN, "PROVIDER_TIMEOUT")
    assert y.paused_until.ToDatetime(UTC) == router.clock.now() + timedelta(seconds=5)
    assert y.measured.success_ppm == 0
    assert keyed.state == pb.PROVIDER_STATE_FAILING
    assert keyed.last_call_time.ToDatetime(UTC) == router.clock.now()


async def test_what_keeps_things_from_being_used_is_listed_beside_models_and_providers() -> None:
    async with Router().served() as stub:
        models = await stub.ListModels(pb.ListModelsRequest(), timeout=5)
        providers = await stub.ListProviders(pb.ListProvidersRequest(), timeout=5)
    for told in (models, providers):
        (problem,) = told.configuration_problems
        assert (problem.file, problem.line, problem.message) == ("providers.yaml", 3, "wrong")
        assert problem.since.ToDatetime(UTC) == PROBLEM.since
        assert [(each.name, each.reason) for each in told.unusable] == [
            ("bare", "It has no key: the environment variable ABSENT is not set or empty."),
            ("gone/own", "The registered contract is suspended. It is too good."),
        ]


@pytest.mark.parametrize(
    ("permissions", "files"),
    [
        (("*",), ["providers.yaml", "routing/organisations/x.yaml"]),
        (("providers.read", "configuration.read"), ["providers.yaml", "routing/organisations/x.yaml"]),
        (("providers.read",), ["providers.yaml"]),
        (ADMIN, ["providers.yaml"]),
    ],
)
async def test_files_of_all_organisations_are_for_who_may_read_the_configuration(
    permissions: tuple[str, ...], files: list[str]
) -> None:
    response = await listed(Router(), *permissions)
    assert [each.file for each in response.configuration_problems] == files
    assert ("x.yaml line 7" in response.config_error) == (len(files) > 1)


async def test_a_half_open_breaker_shows_and_no_key_or_variable_of_one_does() -> None:
    router = Router()
    for _ in range(5):
        router.call(CallReport(Reason.PROVIDER_TIMEOUT), "y")
    router.clock.advance(5)
    response = await listed(router)
    assert response.providers[0].deployments[1].breaker == pb.BREAKER_STATE_HALF_OPEN
    assert "K1" not in str(response)
