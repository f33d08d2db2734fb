"""Every RPC of the sandbox over a fake backend, with every reason that it can fail for."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, NoReturn

import grpc
import pytest
from sandbox_fakes import BLOCKED, FakeBackend, FakeImages, FixedPolicy, finished

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from protos.gen.nexus.sandbox.v1 import sandbox_pb2_grpc
from sandbox_service.domain.outcome import Status
from sandbox_service.domain.run_event import OutputChunk, Stream
from sandbox_service.main import Outside, build_over
from sandbox_service.settings import Settings
from shared.client import translated_errors
from shared.clock import SystemClock
from shared.errors import (
    Forbidden,
    Internal,
    InvalidInput,
    NexusError,
    PreconditionFailed,
    QuotaExceeded,
    Unauthenticated,
)
from shared.ids import new_id
from shared.server import Dependencies
from shared.testing.harness import Served, principal, serving


def no_channel(_address: str) -> NoReturn:
    raise AssertionError("the sandbox calls nobody")


@dataclass
class Bench:
    served: Served
    backend: FakeBackend

    @property
    def stub(self) -> Any:
        return sandbox_pb2_grpc.SandboxServiceStub(self.served.channel)

    async def run(self, request: pb.ExecuteRequest, stub: Any = None) -> list[pb.ExecuteResponse]:
        async with translated_errors("sandbox"):
            return [event async for event in (stub or self.stub).Execute(request, timeout=5)]
        raise AssertionError


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    backend = FakeBackend()
    settings = Settings(max_concurrent_runs=1, max_waiting_runs=0)
    async with serving(
        build_over(
            Outside(backend, FakeImages(), FixedPolicy()), settings, Dependencies(SystemClock(), new_id, no_channel)
        )
    ) as served:
        yield Bench(served, backend)
    assert backend.closed


def program(code: str = "print('hi')", **fields: Any) -> pb.ExecuteRequest:
    return pb.ExecuteRequest(language=pb.LANGUAGE_PYTHON, code=code, **fields)


async def test_a_run_is_started_then_output_then_finished(bench: Bench) -> None:
    bench.backend.events = (
        OutputChunk(Stream.STDOUT, b"out"),
        OutputChunk(Stream.STDERR, b"err"),
        finished(Status.ERROR, 3),
    )
    events = await bench.run(program(stdin=b"in"))
    assert [e.WhichOneof("event") for e in events] == ["started", "stdout", "stderr", "finished"]
    assert uuid.UUID(events[0].started.execution_id)
    end = events[-1].finished
    assert (end.status, end.exit_code, end.peak_memory_bytes) == (pb.EXECUTION_STATUS_ERROR, 3, 5_000_000)
    assert (end.wall_time.ToMilliseconds(), end.cpu_time.ToMilliseconds()) == (250, 125)
    assert bench.backend.sandboxes[0].programs[0].stdin == b"in"


@pytest.mark.parametrize("status", list(Status))
async def test_each_status_has_its_number(bench: Bench, status: Status) -> None:
    bench.backend.events = (finished(status),)
    end = (await bench.run(program()))[-1].finished
    assert pb.ExecutionStatus.Name(end.status) == f"EXECUTION_STATUS_{status.name}"


async def test_limits_are_passed_on_and_default_where_unset(bench: Bench) -> None:
    request = program(limits=pb.ExecutionLimits(processes=7))
    request.limits.wall_time.FromMilliseconds(1500)
    await bench.run(request)
    limits = bench.backend.specs[0].limits
    assert (limits.wall_time_s, limits.processes, limits.memory_bytes) == (1.5, 7, 256 << 20)


@pytest.mark.parametrize(
    "request_",
    [
        pb.ExecuteRequest(code="x"),
        pb.ExecuteRequest(language=99, code="x"),  # type: ignore[arg-type]
        program(""),
        program("x" * ((1 << 20) + 1)),
        program(stdin=b"x" * ((1 << 20) + 1)),
        program(request_id="x" * 161),
    ],
    ids=["no language", "unknown language", "no code", "too much code", "too much input", "long request id"],
)
async def test_a_request_against_the_contract_is_refused(bench: Bench, request_: pb.ExecuteRequest) -> None:
    with pytest.raises(InvalidInput) as caught:
        await bench.run(request_)
    assert caught.value.reason == "REQUEST_INVALID"
    assert bench.backend.specs == []


async def test_code_with_a_nul_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidInput) as caught:
        await bench.run(program("print('\0')"))
    assert caught.value.reason == "PROGRAM_INVALID"
    assert caught.value.violations[0].field == "code"


async def test_a_limit_above_the_ceiling_is_refused(bench: Bench) -> None:
    with pytest.raises(InvalidInput) as caught:
        await bench.run(program(limits=pb.ExecutionLimits(memory_bytes=1 << 40, processes=1 << 20)))
    assert caught.value.reason == "LIMIT_OUT_OF_RANGE"
    assert [v.field for v in caught.value.violations] == ["limits.memory_bytes", "limits.processes"]


async def test_a_host_without_isolation_refuses_and_reports(bench: Bench) -> None:
    backend = FakeBackend(BLOCKED)
    service = build_over(
        Outside(backend, FakeImages(), FixedPolicy()), Settings(), Dependencies(SystemClock(), new_id, no_channel)
    )
    async with serving(service) as served:
        blocked = Bench(served, backend)
        with pytest.raises(PreconditionFailed) as caught:
            await blocked.run(program())
        assert caught.value.reason == "ISOLATION_UNAVAILABLE"
        assert "Turn the key." in caught.value.message
        report = await blocked.stub.GetIsolation(pb.GetIsolationRequest(), timeout=5)
        assert (report.available, report.remedy, report.backend) == (False, "Turn the key.", "fake")


async def test_the_report_names_the_layers(bench: Bench) -> None:
    report = await bench.stub.GetIsolation(pb.GetIsolationRequest(), timeout=5)
    assert report.available
    assert [(x.name, x.enforced, x.detail) for x in report.layers] == [("seccomp", True, "by a fake")]
    default, *slots = report.backends
    assert (default.name, default.level, default.available) == ("fake", pb.BACKEND_LEVEL_NAMESPACES, True)
    assert list(default.layers) == list(report.layers)
    assert [(slot.name, slot.level, slot.available) for slot in slots] == [
        ("gvisor", pb.BACKEND_LEVEL_USER_KERNEL, False),
        ("firecracker", pb.BACKEND_LEVEL_VIRTUAL_MACHINE, False),
    ]
    assert "NEXUS_SANDBOX_RUNSC" in slots[0].remedy


async def test_a_busy_sandbox_says_when_to_come_back(bench: Bench) -> None:
    bench.backend.hold.clear()
    running = bench.stub.Execute(program(), timeout=5)
    await running.read()
    with pytest.raises(QuotaExceeded) as caught:
        await bench.run(program())
    assert caught.value.reason == "SANDBOX_BUSY"
    assert caught.value.retry_after_s
    bench.backend.hold.set()
    assert len([event async for event in running]) == 2
    assert len(await bench.run(program())) == 3


async def test_a_run_that_cannot_be_started_is_an_internal_error(bench: Bench) -> None:
    bench.backend.error = Internal("RUN_NOT_STARTED", "The program's isolation could not be built.")
    with pytest.raises((Internal, NexusError)) as caught:
        await bench.run(program())
    assert caught.value.reason == "RUN_NOT_STARTED"


async def test_cancelling_the_call_abandons_the_run_and_frees_its_place(bench: Bench) -> None:
    bench.backend.hold.clear()
    running = bench.stub.Execute(program(), timeout=5)
    await running.read()
    running.cancel()
    async with asyncio.timeout(2):
        while not bench.backend.killed:
            await asyncio.sleep(0.005)
    bench.backend.hold.set()
    assert len(await bench.run(program())) == 3


async def test_a_deadline_abandons_the_run(bench: Bench) -> None:
    bench.backend.hold.clear()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in bench.stub.Execute(program(), timeout=0.2):
            pass
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    async with asyncio.timeout(2):
        while not bench.backend.killed:
            await asyncio.sleep(0.005)


async def test_strangers_and_those_without_the_permission_are_refused(bench: Bench) -> None:
    nobody = sandbox_pb2_grpc.SandboxServiceStub(bench.served.channel_as(None))
    reader = principal(roles=("viewer",), permissions=("sandbox.read",))
    viewer = sandbox_pb2_grpc.SandboxServiceStub(bench.served.channel_as(reader))
    with pytest.raises(Unauthenticated):
        await bench.run(program(), nobody)
    with pytest.raises(Forbidden):
        await bench.run(program(), viewer)
    async with translated_errors("sandbox"):
        assert (await viewer.GetIsolation(pb.GetIsolationRequest(), timeout=5)).available
    with pytest.raises(Unauthenticated):
        async with translated_errors("sandbox"):
            await nobody.GetIsolation(pb.GetIsolationRequest(), timeout=5)
    assert bench.backend.specs == []
