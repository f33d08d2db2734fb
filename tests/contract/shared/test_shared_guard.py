"""The guard around every RPC, seen from outside: who gets in, what is refused, how errors look."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
import structlog
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.auth.context import acting_as, current_principal
from shared.auth.mesh_token import MeshTokens
from shared.client import translated_errors
from shared.clock import SystemClock
from shared.errors import FieldViolation, Forbidden, InvalidInput, NotFound, QuotaExceeded, UpstreamDown
from shared.server import Registration, Service, guard
from shared.testing.harness import Served, principal, serving


class EchoTools(tools_pb2_grpc.ToolServiceServicer):
    """Answers with who called, or fails as the tool's name says."""

    async def GetTool(self, request: tools_pb2.GetToolRequest, context: Any) -> tools_pb2.GetToolResponse:
        if request.name == "crash":
            raise RuntimeError("secret internals")
        if request.name == "gone":
            raise NotFound("TOOL_UNKNOWN", "There is no such tool.", metadata={"tool": "gone"})
        if request.name == "busy":
            raise QuotaExceeded("BUSY", "Come back later.", retry_after_s=1.5)
        if request.name == "fields":
            raise InvalidInput("BAD", "Two fields.", violations=[FieldViolation("a", "x"), FieldViolation("b", "y")])
        if request.name == "hang":
            await asyncio.sleep(30)
        who = current_principal()
        return tools_pb2.GetToolResponse(tool=tools_pb2.Tool(name=who.user_id, description=who.org_id))


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    registration = Registration(
        tools_pb2_grpc.add_ToolServiceServicer_to_server,
        EchoTools(),
        tools_pb2.DESCRIPTOR.services_by_name["ToolService"],
    )
    async with serving(Service("echo", [registration])) as running:
        yield running


async def get(channel: grpc.aio.Channel, name: str = "x", **kwargs: Any) -> tools_pb2.Tool:
    stub = tools_pb2_grpc.ToolServiceStub(channel)
    async with translated_errors("echo"):
        return (await stub.GetTool(tools_pb2.GetToolRequest(name=name), timeout=5, **kwargs)).tool


async def test_the_principal_reaches_the_servicer(served: Served) -> None:
    assert (await get(served.channel)).name == "user-1"
    with acting_as(principal("org-b", "user-9")):
        tool = await get(served.channel)
    assert (tool.name, tool.description) == ("user-9", "org-b")


@pytest.mark.parametrize("credential", ["", "nxk_unknown", "not-a-jwt", "a.b.c"])
async def test_a_bad_credential_is_unauthenticated(served: Served, credential: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await tools_pb2_grpc.ToolServiceStub(served.channel_with(credential)).GetTool(
            tools_pb2.GetToolRequest(name="x"), timeout=5
        )
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_no_credential_is_unauthenticated_but_health_answers(served: Served) -> None:
    stranger = served.channel_as(None)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await tools_pb2_grpc.ToolServiceStub(stranger).GetTool(tools_pb2.GetToolRequest(name="x"), timeout=5)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
    health = await health_pb2_grpc.HealthStub(stranger).Check(health_pb2.HealthCheckRequest(service=""))
    assert health.status == health_pb2.HealthCheckResponse.SERVING


async def test_an_api_key_is_looked_up(served: Served) -> None:
    served.keys.keys["nxk_good"] = principal("org-k", "user-k")
    assert (await get(served.channel_with("nxk_good"))).description == "org-k"


async def test_a_token_of_another_key_is_refused(served: Served) -> None:
    forged = MeshTokens(b"x" * 32, SystemClock()).mint(principal(), "attacker")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get_raw(served.channel_with(forged))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def get_raw(channel: grpc.aio.Channel, name: str = "x") -> Any:
    return await tools_pb2_grpc.ToolServiceStub(channel).GetTool(tools_pb2.GetToolRequest(name=name), timeout=5)


async def test_a_missing_permission_is_forbidden(served: Served) -> None:
    viewer = served.channel_as(principal(permissions=("runs.read",)))
    with pytest.raises(Forbidden) as caught:
        await get(viewer)
    assert caught.value.metadata["permission"] == "tools.read"


async def test_a_wildcard_of_the_resource_is_enough(served: Served) -> None:
    assert (await get(served.channel_as(principal(permissions=("tools.*",))))).name == "user-1"


async def test_constraints_of_the_contract_are_enforced_with_the_field(served: Served) -> None:
    with pytest.raises(InvalidInput) as caught:
        await get(served.channel, "")
    assert caught.value.reason == "REQUEST_INVALID"
    assert [v.field for v in caught.value.violations] == ["name"]


@pytest.mark.parametrize("raw", [b"\x0a\x02\xff\xfe", b"\xff\xff\xff", b"\x0a\x7fshort"])
async def test_bytes_that_are_no_message_are_invalid(served: Served, raw: bytes) -> None:
    call = served.channel_as(principal()).unary_unary("/nexus.tools.v1.ToolService/GetTool")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(raw, timeout=5)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_errors_keep_reason_metadata_fields_and_delay(served: Served) -> None:
    with pytest.raises(NotFound) as gone:
        await get(served.channel, "gone")
    assert (gone.value.reason, gone.value.metadata["tool"]) == ("TOOL_UNKNOWN", "gone")
    assert len(gone.value.metadata["trace_id"]) == 32
    with pytest.raises(QuotaExceeded) as busy:
        await get(served.channel, "busy")
    assert busy.value.retry_after_s == 1.5
    with pytest.raises(InvalidInput) as fields:
        await get(served.channel, "fields")
    assert fields.value.violations == (FieldViolation("a", "x"), FieldViolation("b", "y"))


async def test_a_crash_says_nothing_of_the_inside(served: Served) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await get_raw(served.channel, "crash")
    assert caught.value.code() is grpc.StatusCode.INTERNAL
    details = next(v for k, v in caught.value.trailing_metadata() if k == "grpc-status-details-bin")
    status = status_pb2.Status.FromString(details)
    info = error_details_pb2.ErrorInfo()
    status.details[0].Unpack(info)
    assert (info.domain, info.reason) == ("echo.nexus", "INTERNAL")
    assert b"secret internals" not in details


async def test_the_deadline_of_the_caller_holds(served: Served) -> None:
    stub = tools_pb2_grpc.ToolServiceStub(served.channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetTool(tools_pb2.GetToolRequest(name="hang"), timeout=0.2)
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


async def test_an_absent_peer_is_upstream_down() -> None:
    from shared.client.channel import open_channel

    channel = open_channel("unix:/nonexistent/socket", lambda _p: None)
    with pytest.raises(UpstreamDown) as caught:
        await get(channel)
    assert caught.value.reason == "UNREACHABLE"
    await channel.close()


async def test_the_log_has_calls_that_failed_or_took_long(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    with structlog.testing.capture_logs() as lines:
        await get(served.channel)
        with pytest.raises(NotFound):
            await get(served.channel, "gone")
        monkeypatch.setattr(guard, "SLOW_S", 0.0)
        await get(served.channel)
    said = [(line["log_level"], line["code"], line["reason"]) for line in lines if line["event"] == "rpc"]
    assert said == [("debug", "OK", ""), ("info", "NOT_FOUND", "TOOL_UNKNOWN"), ("info", "OK", "")]
