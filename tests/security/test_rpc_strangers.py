"""What callers without a key, and callers with hostile requests, cost a service: next to nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from mesh.supervisor.adapters.tcp_ports import find_free
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from shared.auth.authenticator import Authenticator
from shared.auth.mesh_token import MeshTokens
from shared.clock import SystemClock
from shared.errors import FieldViolation, InvalidInput
from shared.server import Registration, Service, callers, lobby
from shared.server.bootstrap import serve_until
from shared.server.lobby import MOST_CALLS
from shared.settings import ServiceSettings
from shared.testing.fakes import FakeKeyDirectory
from shared.testing.harness import Served, principal, serving

EMBED = "/nexus.router.v1.RouterService/Embed"
STREAM = "/nexus.router.v1.RouterService/StreamChatCompletion"


class Refusing(router_pb2_grpc.RouterServiceServicer):
    """Repeats in its error whatever the caller sent."""

    async def Embed(self, request: router_pb2.EmbedRequest, context: Any) -> router_pb2.EmbedResponse:
        text = "".join(request.inputs)
        fields = [FieldViolation(text, text) for _ in range(100)]
        raise InvalidInput("ECHO", text, metadata={"text": text, "kind": "echo"}, violations=fields)


def echo() -> Service:
    descriptor = router_pb2.DESCRIPTOR.services_by_name["RouterService"]
    return Service("echo", [Registration(router_pb2_grpc.add_RouterServiceServicer_to_server, Refusing(), descriptor)])


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    async with serving(echo()) as running:
        yield running


@pytest.fixture
async def open_port(tmp_path: Path) -> AsyncIterator[str]:
    """The same service on a TCP port and a unix socket; the port."""
    address = f"127.0.0.1:{find_free(1)[0]}"
    settings = ServiceSettings(listen=[address, f"unix:{tmp_path}/s"], drain_s=0, data_dir=tmp_path)
    authenticator = Authenticator(MeshTokens(b"k" * 32, SystemClock()), FakeKeyDirectory())
    stopping = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(serve_until(echo(), authenticator, settings, stopping))
        async with grpc.aio.insecure_channel(address) as channel:
            await asyncio.wait_for(channel.channel_ready(), 10)
        yield address
        stopping.set()


async def never() -> AsyncIterator[bytes]:
    await asyncio.sleep(60)
    yield b""


@pytest.mark.parametrize("method", [EMBED, STREAM])
@pytest.mark.parametrize("credential", [None, "nxk_unknown"])
async def test_a_stranger_is_refused_before_the_request_is_read(
    served: Served, method: str, credential: str | None
) -> None:
    """Else requests of 8 MB by the hundred fill the memory of a service that knows none of their senders."""
    metadata = (("authorization", f"Bearer {credential}"),) if credential else ()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.channel.stream_unary(method)(never(), metadata=metadata, timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def nothing() -> AsyncIterator[bytes]:
    return
    yield b""


async def test_a_call_without_a_request_is_malformed(served: Served) -> None:
    metadata = (("authorization", f"Bearer {served.tokens.mint(principal(), 't')}"),)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await served.channel.stream_unary(EMBED)(nothing(), metadata=metadata, timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_request_over_the_size_limit_is_refused(served: Served) -> None:
    async with grpc.aio.insecure_channel(served.address, options=[("grpc.max_send_message_length", -1)]) as channel:
        metadata = (("authorization", f"Bearer {served.tokens.mint(principal(), 't')}"),)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.unary_unary(EMBED)(b"\x0a\x80\x80\x80\x05" + b"a" * (10 << 20), metadata=metadata, timeout=10)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_million_mistakes_cost_no_more_than_one(served: Served) -> None:
    hostile = router_pb2.EmbedRequest(inputs=[""] * 500_000)
    started = time.monotonic()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await router_pb2_grpc.RouterServiceStub(served.channel).Embed(hostile, timeout=30)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "256" in str(caught.value.details())
    assert time.monotonic() - started < 2


@pytest.mark.parametrize("text", ["x" * 60_000, "\u4e16" * 20_000, "\U0001f600" * 15_000])
async def test_an_error_keeps_its_reason_however_much_it_repeats(served: Served, text: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await router_pb2_grpc.RouterServiceStub(served.channel).Embed(
            router_pb2.EmbedRequest(inputs=[text] * 5), timeout=5
        )
    error = caught.value
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    status = status_pb2.Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
    info, fields = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    status.details[0].Unpack(info)
    status.details[1].Unpack(fields)
    assert (info.reason, info.metadata["kind"]) == ("ECHO", "echo")
    assert status.message.startswith(text[:100])
    assert fields.field_violations[0].field.startswith(text[:50])


async def test_many_violations_of_the_contract_are_one_typed_error(served: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await router_pb2_grpc.RouterServiceStub(served.channel).Embed(
            router_pb2.EmbedRequest(inputs=[""] * 250), timeout=5
        )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_watchers_without_a_key_are_bounded_and_the_mesh_still_gets_in(open_port: str, tmp_path: Path) -> None:
    async with grpc.aio.insecure_channel(open_port) as channel:
        watches = [
            health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=str(number)))
            for number in range(MOST_CALLS + 20)
        ]
        outcomes = await asyncio.gather(*(_first(watch) for watch in watches))
        assert outcomes.count("OK") == MOST_CALLS
        assert outcomes.count("RESOURCE_EXHAUSTED") == 20
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/s") as own:
            reply = await health_pb2_grpc.HealthStub(own).Check(health_pb2.HealthCheckRequest(), timeout=5)
        assert reply.status == health_pb2.HealthCheckResponse.SERVING
        for watch in watches:
            watch.cancel()
        async with asyncio.timeout(5):
            while await _check(channel) != "OK":
                await asyncio.sleep(0.02)


async def test_a_stranger_cannot_hold_the_places_for_ever(open_port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lobby, "LONGEST_CALL_S", 0.3)
    async with grpc.aio.insecure_channel(open_port) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        half = range(MOST_CALLS // 2)
        watches = [stub.Watch(health_pb2.HealthCheckRequest(service=str(number))) for number in half]
        silent = [channel.stream_unary("/grpc.health.v1.Health/Check")(never()) for _ in half]
        assert [await _first(watch) for watch in watches] == ["OK"] * len(half)
        async with asyncio.timeout(5):
            while await _check(channel) != "OK":
                await asyncio.sleep(0.02)
        assert {(await watch.code()).name for watch in watches} == {"DEADLINE_EXCEEDED"}
        assert {(await call.code()).name for call in silent} == {"DEADLINE_EXCEEDED"}


async def test_a_health_question_is_short(open_port: str) -> None:
    async with grpc.aio.insecure_channel(open_port) as channel:
        assert await _check(channel, "x" * 10_000) == "INVALID_ARGUMENT"


async def test_reflection_answers_without_a_key(open_port: str) -> None:
    async with grpc.aio.insecure_channel(open_port) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        names = {service.name for reply in [await call.read()] for service in reply.list_services_response.service}
    assert "nexus.router.v1.RouterService" in names


async def _first(watch: Any) -> str:
    try:
        await asyncio.wait_for(watch.read(), 10)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def _check(channel: grpc.aio.Channel, service: str = "") -> str:
    try:
        await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_the_log_names_who_was_refused(served: Served) -> None:
    viewer = served.channel_as(principal("org-v", "user-v", permissions=("runs.read",)))
    with structlog.testing.capture_logs() as lines:
        with pytest.raises(grpc.aio.AioRpcError):
            await router_pb2_grpc.RouterServiceStub(viewer).Embed(router_pb2.EmbedRequest(inputs=["x"]), timeout=5)
        # The caller has its status before the line is written.
        async with asyncio.timeout(5):
            while not any(line["event"] == "rpc" for line in lines):
                await asyncio.sleep(0.01)
    refused = [line for line in lines if line["event"] == "rpc"]
    assert [(line["code"], line["org_id"], line["user_id"]) for line in refused] == [
        ("PERMISSION_DENIED", "org-v", "user-v")
    ]


async def test_one_caller_has_only_so_many_calls_open_and_others_still_get_in(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callers, "MOST_CALLS", 3)
    greedy = (("authorization", f"Bearer {served.tokens.mint(principal(user_id='greedy'), 't')}"),)
    held = [served.channel.stream_unary(EMBED)(never(), metadata=greedy, timeout=60) for _ in range(3)]
    request = router_pb2.EmbedRequest(inputs=["x"])
    async with asyncio.timeout(30):
        while await _embed(served.channel_as(principal(user_id="greedy")), request) != "RESOURCE_EXHAUSTED":
            await asyncio.sleep(0.02)
    assert await _embed(served.channel, request) == "INVALID_ARGUMENT"
    for call in held:
        call.cancel()
    async with asyncio.timeout(30):
        while await _embed(served.channel_as(principal(user_id="greedy")), request) != "INVALID_ARGUMENT":
            await asyncio.sleep(0.02)


async def _embed(channel: grpc.aio.Channel, request: router_pb2.EmbedRequest) -> str:
    try:
        await router_pb2_grpc.RouterServiceStub(channel).Embed(request, timeout=30)
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"
