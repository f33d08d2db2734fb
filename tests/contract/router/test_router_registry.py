"""RegistryService over real gRPC: every RPC with every reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime

import grpc
import pytest
from router_contracts import FakeServiceRegistry

from protos.gen.nexus.router.v1 import contract_pb2 as pb
from protos.gen.nexus.router.v1 import contract_pb2_grpc
from provider_router.adapters.yaml_file.provider_reader import LocalAddresses, read_configuration
from provider_router.domain.contracts import registry_change
from provider_router.domain.contracts.service import RegistrySnapshot
from provider_router.domain.decisions.service_state import Measured
from provider_router.domain.traffic.deployment_status import DeploymentStatus
from provider_router.servicer.registry_servicer import RegistryServicer, RegistryUseCases
from provider_router.use_cases.deregister_contract import DeregisterContract
from provider_router.use_cases.list_contracts import ListContracts
from provider_router.use_cases.register_contract import RegisterContract
from provider_router.use_cases.update_contract import UpdateContract
from provider_router.use_cases.watch_contracts import WatchContracts
from shared.circuit_breaker import Breaker
from shared.client import translated_errors
from shared.errors import (
    AlreadyExists,
    Forbidden,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    StaleWrite,
)
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import Served, principal, serving

LOCAL = LocalAddresses("http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1")
FILE = """\
version: 1
providers:
  one: {type: openai_compatible, base_url: "https://one.test/v1", api_key_env: KEY, models: [{name: m, chat: true}]}
  claude: {type: anthropic, models: [{name: m, chat: true}]}
"""
CHAT = pb.Capabilities(operations=[pb.OPERATION_CHAT], streaming=True)
Stub = contract_pb2_grpc.RegistryServiceStub


class Seen:
    """Deployments of which there are `statuses`."""

    def __init__(self) -> None:
        self.found: list[DeploymentStatus] = []

    def statuses(self, snapshot: RegistrySnapshot) -> Sequence[DeploymentStatus]:
        return [status for status in self.found if status.service in snapshot.services]


class Registry:
    """A served registry over fakes."""

    def __init__(self) -> None:
        self.registry = FakeServiceRegistry(read_configuration(FILE.encode(), LOCAL), FakeClock())
        self.seen = Seen()
        self.served: Served
        self.stub: Stub

    def service(self) -> Service:
        use_cases = RegistryUseCases(
            RegisterContract(self.registry),
            UpdateContract(self.registry),
            DeregisterContract(self.registry),
            ListContracts(self.registry, self.seen),
            WatchContracts(self.registry),
        )
        add = contract_pb2_grpc.add_RegistryServiceServicer_to_server
        descriptor = pb.DESCRIPTOR.services_by_name["RegistryService"]
        return Service("router", [Registration(add, RegistryServicer(use_cases), descriptor)])

    def as_(self, **who: object) -> Stub:
        return Stub(self.served.channel_as(principal(**who)))


@pytest.fixture
async def registry() -> AsyncGenerator[Registry, None]:
    made = Registry()
    async with serving(made.service()) as served:
        made.served, made.stub = served, Stub(served.channel)
        yield made


def contract(name: str = "one/new", **fields: object) -> pb.Contract:
    return pb.Contract(**{"name": name, "capabilities": CHAT, **fields})


async def register(stub: Stub, given: pb.Contract, request_id: str = "r1") -> pb.RegisterContractResponse:
    async with translated_errors("router"):
        return await stub.RegisterContract(pb.RegisterContractRequest(contract=given, request_id=request_id), timeout=5)


async def update(stub: Stub, given: pb.Contract, request_id: str = "u1") -> pb.UpdateContractResponse:
    async with translated_errors("router"):
        return await stub.UpdateContract(pb.UpdateContractRequest(contract=given, request_id=request_id), timeout=5)


async def deregister(stub: Stub, name: str, request_id: str = "d1") -> pb.DeregisterContractResponse:
    async with translated_errors("router"):
        request = pb.DeregisterContractRequest(name=name, request_id=request_id)
        return await stub.DeregisterContract(request, timeout=5)


async def get(stub: Stub, name: str) -> pb.RegisteredContract:
    async with translated_errors("router"):
        return (await stub.GetContract(pb.GetContractRequest(name=name), timeout=5)).contract


async def listed(stub: Stub, **fields: object) -> pb.ListContractsResponse:
    async with translated_errors("router"):
        return await stub.ListContracts(pb.ListContractsRequest(**fields), timeout=5)


async def names(stub: Stub) -> list[str]:
    return [each.contract.name for each in (await listed(stub)).contracts]


async def test_a_contract_is_registered_shown_changed_and_removed(registry: Registry) -> None:
    stub = registry.stub
    made = await register(stub, contract(owner="Me", version=9, org_id="org-z", demonstration=True))
    assert (made.contract.version, made.contract.org_id, made.contract.needs_auth) == (1, "org-a", True)
    assert not made.contract.demonstration
    shown = await get(stub, "one/new")
    assert shown.contract == made.contract
    assert not shown.from_file
    changed = await update(stub, contract(owner="You", version=1))
    assert (changed.contract.version, changed.contract.owner) == (2, "You")
    assert changed.registry_version > made.registry_version
    gone = await deregister(stub, "one/new")
    assert gone.registry_version > changed.registry_version
    with pytest.raises(NotFound) as caught:
        await get(stub, "one/new")
    assert caught.value.reason == "CONTRACT_UNKNOWN"


async def test_contracts_of_the_files_are_shown_as_such(registry: Registry) -> None:
    shown = (await listed(registry.stub)).contracts
    assert [(each.contract.name, each.from_file) for each in shown] == [("claude/m", True), ("one/m", True)]


async def test_a_list_has_pages(registry: Registry) -> None:
    for number in range(5):
        await register(registry.stub, contract(f"one/{number}"), f"r{number}")
    seen: list[str] = []
    token = ""
    for _ in range(4):
        page = await listed(registry.stub, page_size=2, page_token=token)
        seen += [each.contract.name for each in page.contracts]
        token = page.next_page_token
        if not token:
            break
    assert seen == ["claude/m", "one/0", "one/1", "one/2", "one/3", "one/4", "one/m"]
    assert token == ""
    with pytest.raises(InvalidInput) as caught:
        await listed(registry.stub, page_token="%%")
    assert caught.value.reason == "PAGE_TOKEN_INVALID"


async def test_what_was_measured_stands_beside_what_is_promised(registry: Registry) -> None:
    busy, idle = Measured(30, 900_000, 100, 300, 50), Measured(10, 500_000, 1, 3, 5)
    for name, measured, broken in (("a", busy, ("first_token_p95_ms",)), ("b", idle, ("availability_ppm",))):
        registry.seen.found.append(DeploymentStatus("one/m", name, Breaker.CLOSED, None, 0, measured, broken, 1, 1, ""))
    shown = await get(registry.stub, "one/m")
    assert shown.measured == pb.Measured(
        calls=40, success_ppm=800_000, first_token_p50_ms=100, first_token_p95_ms=300, tokens_per_second=50
    )
    assert list(shown.broken_promises) == ["first_token_p95_ms", "availability_ppm"]
    assert (await get(registry.stub, "claude/m")).measured.calls == 0


async def test_a_suspended_contract_is_listed_with_the_reason(registry: Registry) -> None:
    await register(registry.stub, contract())
    registry.registry.reconfigure(read_configuration(FILE.replace("  one:", "  two:").encode(), LOCAL))
    shown = await get(registry.stub, "one/new")
    assert "'one' is not configured" in shown.suspended_reason
    assert await names(registry.stub) == ["claude/m", "one/new", "two/m"]
    await deregister(registry.stub, "one/new")
    assert await names(registry.stub) == ["claude/m", "two/m"]


@pytest.mark.parametrize(
    ("given", "kind", "reason"),
    [
        (contract("one/m"), AlreadyExists, "CONTRACT_EXISTS"),
        (contract("nobody/m"), InvalidInput, "PROVIDER_UNKNOWN"),
        (contract(prices=[{"effective_date": "2026-02-30", "rates": {}}]), InvalidInput, "CONTRACT_INVALID"),
        (
            contract("claude/e", capabilities=pb.Capabilities(operations=[pb.OPERATION_EMBED])),
            InvalidInput,
            "CONTRACT_INVALID",
        ),
        (contract("no-slash"), InvalidInput, "REQUEST_INVALID"),
        (contract(capabilities=None), InvalidInput, "REQUEST_INVALID"),
        (contract(capabilities=pb.Capabilities()), InvalidInput, "REQUEST_INVALID"),
        (contract(privacy=pb.Privacy(regions=["EU"])), InvalidInput, "REQUEST_INVALID"),
        (contract(tags=["a", "a"]), InvalidInput, "REQUEST_INVALID"),
    ],
)
async def test_contracts_that_cannot_be_registered(
    registry: Registry, given: pb.Contract, kind: type, reason: str
) -> None:
    with pytest.raises(kind) as caught:
        await register(registry.stub, given)
    assert caught.value.reason == reason
    assert await names(registry.stub) == ["claude/m", "one/m"]


async def test_a_refused_contract_names_its_fields(registry: Registry) -> None:
    given = contract(
        prices=[{"effective_date": "2026-02-01", "rates": {}}, {"effective_date": "2026-01-01", "rates": {}}],
        guarantees={"first_token_p50_ms": 5, "first_token_p95_ms": 1},
    )
    with pytest.raises(InvalidInput) as caught:
        await register(registry.stub, given)
    assert [violation.field for violation in caught.value.violations] == [
        "contract.guarantees.first_token_p95_ms",
        "contract.prices[1].effective_date",
    ]
    with pytest.raises(InvalidInput) as caught:
        await register(registry.stub, contract("claude/e", capabilities={"operations": [pb.OPERATION_EMBED]}))
    assert caught.value.violations[0].field == "contract.capabilities.operations"
    with pytest.raises(InvalidInput) as caught:
        await register(registry.stub, contract(privacy=pb.Privacy(training=pb.TRAINING_NO, retention_days=0)))
    fields = [violation.field for violation in caught.value.violations]
    assert fields == ["contract.privacy.retention_days", "contract.privacy.trains_on_data"]
    # The message names the field as the violation does.
    assert caught.value.message.startswith("contract.privacy.retention_days: must not be given")


async def test_a_name_of_the_files_is_for_the_operator_to_change(registry: Registry) -> None:
    with pytest.raises(AlreadyExists, match="have the operator change it there"):
        await register(registry.stub, contract("one/m"))
    await register(registry.stub, contract())
    with pytest.raises(AlreadyExists, match="or update it"):
        await register(registry.stub, contract(owner="other"), "r2")


async def test_a_limit_and_a_used_request_id(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry_change, "MAX_CONTRACTS", 1)
    await register(registry.stub, contract())
    with pytest.raises(QuotaExceeded) as quota:
        await register(registry.stub, contract("one/other"), "r2")
    assert quota.value.reason == "CONTRACT_LIMIT"
    for again in (
        register(registry.stub, contract("one/other")),
        update(registry.stub, contract(version=1), "r1"),
        deregister(registry.stub, "one/new", "r1"),
    ):
        with pytest.raises(AlreadyExists) as reused:
            await again
        assert reused.value.reason == "REQUEST_ID_REUSED"


async def test_a_request_that_is_sent_twice_is_carried_out_once(registry: Registry) -> None:
    stub = registry.stub
    first = await register(stub, contract())
    assert await register(stub, contract()) == first
    changed = await update(stub, contract(version=1))
    assert await update(stub, contract(version=1)) == changed
    gone = await deregister(stub, "one/new")
    assert await deregister(stub, "one/new") == gone


@pytest.mark.parametrize(
    ("name", "kind", "reason"),
    [("one/none", NotFound, "CONTRACT_UNKNOWN"), ("one/m", PreconditionFailed, "CONTRACT_FROM_FILE")],
)
async def test_contracts_that_cannot_be_changed(registry: Registry, name: str, kind: type, reason: str) -> None:
    for refused in (update(registry.stub, contract(name, version=1)), deregister(registry.stub, name)):
        with pytest.raises(kind) as caught:
            await refused
        assert caught.value.reason == reason


async def test_a_version_that_is_not_in_force_is_not_replaced(registry: Registry) -> None:
    await register(registry.stub, contract())
    with pytest.raises(StaleWrite) as caught:
        await update(registry.stub, contract(version=3))
    assert caught.value.reason == "CONTRACT_CHANGED"


async def test_another_organisation_neither_sees_nor_changes_it(registry: Registry) -> None:
    await register(registry.stub, contract())
    other = registry.as_(org_id="org-b")
    assert await names(other) == ["claude/m", "one/m"]
    for refused in (get(other, "one/new"), update(other, contract(version=1)), deregister(other, "one/new")):
        with pytest.raises(NotFound):
            await refused
    await register(other, contract(owner="B"))
    assert (await get(registry.stub, "one/new")).contract.owner == ""


@pytest.mark.parametrize("call", [register, update])
async def test_who_may_only_read_changes_nothing(registry: Registry, call) -> None:
    viewer = registry.as_(permissions=["models.read"])
    assert await names(viewer) == ["claude/m", "one/m"]
    with pytest.raises(Forbidden):
        await call(viewer, contract(version=1))
    with pytest.raises(Forbidden):
        await deregister(viewer, "one/new")


async def test_a_watcher_sees_every_change_of_its_own(registry: Registry) -> None:
    call = registry.stub.WatchContracts(pb.WatchContractsRequest(), timeout=10)
    first = await call.read()
    assert [each.name for each in first.contracts] == ["claude/m", "one/m"]
    assert first.change_time.ToDatetime(UTC) == datetime(2026, 11, 20, 12, tzinfo=UTC)
    await register(registry.as_(org_id="org-b"), contract("one/b"))
    await register(registry.stub, contract("one/a"))
    second = await asyncio.wait_for(call.read(), 2)
    assert [each.name for each in second.contracts] == ["claude/m", "one/a", "one/m"]
    assert second.registry_version > first.registry_version
    call.cancel()


async def test_a_watcher_that_has_the_newest_waits(registry: Registry) -> None:
    version = (await listed(registry.stub)).registry_version
    call = registry.stub.WatchContracts(pb.WatchContractsRequest(after_version=version), timeout=0.2)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call.read()
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
