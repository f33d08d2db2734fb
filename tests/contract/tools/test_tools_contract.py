"""ToolService over a real server: every RPC, with every reason it can end with."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from tools_fakes import ECHO, ScriptedTool
from tools_service import ToolBench, served_tools

from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.errors import UpstreamDown
from shared.testing.harness import Served, principal
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput
from tool_executor.domain.tool_definition import JsonObject


async def _crash(arguments: JsonObject, call: CallContext) -> ToolOutput:
    raise RuntimeError("password=hunter2")


async def _fail(arguments: JsonObject, call: CallContext) -> ToolOutput:
    raise ToolFailure("CODE_FAILED", "It failed.", value={"text": "half"})


async def _hang(arguments: JsonObject, call: CallContext) -> ToolOutput:
    await asyncio.sleep(60)
    raise AssertionError


@dataclass
class Mesh:
    """A served tool executor over fakes."""

    served: Served
    bench: ToolBench
    echo: ScriptedTool
    stub: tools_pb2_grpc.ToolServiceStub = field(init=False)

    def __post_init__(self) -> None:
        self.policy = self.bench.policy
        self.stub = tools_pb2_grpc.ToolServiceStub(self.served.channel)

    async def execute(self, name: str = "echo", text: str = '{"text": "hi"}', **fields: object) -> tools_pb2.ToolResult:
        request = tools_pb2.ExecuteToolRequest(name=name, arguments_json=text, **fields)  # type: ignore[arg-type]
        return (await self.stub.ExecuteTool(request, timeout=5)).result


@asynccontextmanager
async def mesh() -> AsyncGenerator[Mesh, None]:
    echo = ScriptedTool()
    tools = [
        echo,
        ScriptedTool(_crash, dataclasses.replace(ECHO, name="crash")),
        ScriptedTool(_fail, dataclasses.replace(ECHO, name="fail")),
        ScriptedTool(_hang, dataclasses.replace(ECHO, name="hang", max_concurrency=4)),
    ]
    with TemporaryDirectory() as folder:
        async with served_tools(Path(folder), tools) as (bench, served):
            yield Mesh(served, bench, echo)


async def _refusal(call: object) -> tuple[grpc.StatusCode, str, str]:
    """Return the code, the reason and the message with which `call` fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]
    details = dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(details)  # type: ignore[arg-type]
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.domain == "tools.nexus"
    return caught.value.code(), info.reason, caught.value.details() or ""


async def test_tools_are_listed_in_pages_with_their_state() -> None:
    async with mesh() as found:
        found.policy.disabled["org-a"] = frozenset({"fail"})
        first = await found.stub.ListTools(tools_pb2.ListToolsRequest(page_size=3))
        second = await found.stub.ListTools(tools_pb2.ListToolsRequest(page_size=3, page_token=first.next_page_token))
        assert [tool.name for tool in first.tools] == ["crash", "echo", "fail"]
        assert [tool.name for tool in second.tools] == ["hang"]
        assert [tool.enabled for tool in first.tools] == [True, True, False]
        assert second.next_page_token == ""
        enabled = await found.stub.ListTools(tools_pb2.ListToolsRequest(enabled_only=True))
        assert [tool.name for tool in enabled.tools] == ["crash", "echo", "hang"]
        stranger = tools_pb2_grpc.ToolServiceStub(found.served.channel_as(principal(org_id="org-b")))
        assert all(tool.enabled for tool in (await stranger.ListTools(tools_pb2.ListToolsRequest())).tools)


async def test_one_tool_shows_all_of_its_definition() -> None:
    async with mesh() as found:
        tool = (await found.stub.GetTool(tools_pb2.GetToolRequest(name="echo"))).tool
    assert (tool.name, tool.version, tool.enabled, list(tool.examples)) == ("echo", "1.0.0", True, ["Say hello"])
    assert json.loads(tool.input_json_schema) == ECHO.input_schema
    assert json.loads(tool.output_json_schema) == ECHO.output_schema
    assert tool.side_effect == tools_pb2.SIDE_EFFECT_READ
    assert tool.timeout.ToTimedelta().total_seconds() == ECHO.timeout_s


async def test_a_call_gives_a_result_and_happens_once() -> None:
    async with mesh() as found:
        first = await found.execute(request_id="r1", time_zone="Europe/Berlin")
        again = await found.execute(request_id="r1", time_zone="Europe/Berlin")
    assert (first.status, first.output_json, first.summary) == (tools_pb2.TOOL_STATUS_OK, '{"text":"hi"}', "hi")
    assert first.HasField("duration")
    assert again == first
    assert len(found.echo.calls) == 1
    assert found.echo.calls[0][1].principal == principal()


@pytest.mark.parametrize(
    ("name", "text", "status", "reason"),
    [
        ("echo", "{", "INVALID_ARGUMENTS", "ARGUMENTS_MALFORMED"),
        ("echo", "", "INVALID_ARGUMENTS", "ARGUMENTS_INVALID"),
        ("echo", '{"text": 1}', "INVALID_ARGUMENTS", "ARGUMENTS_INVALID"),
        ("crash", '{"text": ""}', "ERROR", "TOOL_CRASHED"),
        ("fail", '{"text": ""}', "ERROR", "CODE_FAILED"),
        ("hang", '{"text": ""}', "TIMEOUT", "TOOL_TIMEOUT"),
    ],
)
async def test_what_goes_wrong_in_a_tool_is_a_result(name: str, text: str, status: str, reason: str) -> None:
    async with mesh() as found:
        result = await found.execute(name, text, timeout=Duration(nanos=50_000_000))
    assert (tools_pb2.ToolStatus.Name(result.status), result.error_reason) == (f"TOOL_STATUS_{status}", reason)
    assert "hunter2" not in result.summary
    assert result.output_json == ('{"text":"half"}' if name == "fail" else "")


async def test_long_output_is_cut_and_says_so() -> None:
    async with mesh() as found:
        result = await found.execute(text=json.dumps({"text": "x" * 90_000}))
    assert result.truncated
    assert len(result.output_json) <= 65_536


async def test_every_reason_for_not_running() -> None:
    async with mesh() as found:
        found.policy.disabled["org-a"] = frozenset({"fail"})
        await found.execute(request_id="r1")
        assert await _refusal(found.execute("ecko")) == (
            grpc.StatusCode.NOT_FOUND,
            "TOOL_UNKNOWN",
            "There is no tool 'ecko'. Nearest: echo.",
        )
        code, reason, message = await _refusal(found.execute("fail"))
        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "TOOL_DISABLED")
        assert "nexus tools enable fail" in message
        refusals = {
            "TIME_ZONE_UNKNOWN": (grpc.StatusCode.INVALID_ARGUMENT, found.execute(time_zone="Mars/X")),
            "REQUEST_ID_REUSED": (
                grpc.StatusCode.ALREADY_EXISTS,
                found.execute(text='{"text": "other"}', request_id="r1"),
            ),
            "REQUEST_INVALID": (grpc.StatusCode.INVALID_ARGUMENT, found.execute(timeout=Duration(seconds=-1))),
            "PAGE_TOKEN_INVALID": (
                grpc.StatusCode.INVALID_ARGUMENT,
                found.stub.ListTools(tools_pb2.ListToolsRequest(page_token="ß!")),
            ),
        }
        for expected, (code, call) in refusals.items():
            assert (await _refusal(call))[:2] == (code, expected)
        code, reason, _ = await _refusal(found.stub.GetTool(tools_pb2.GetToolRequest(name="nothing")))
        assert (code, reason) == (grpc.StatusCode.NOT_FOUND, "TOOL_UNKNOWN")


async def test_a_busy_tool_says_when_to_come_back() -> None:
    async with mesh() as found:
        running = [asyncio.create_task(found.execute("hang")) for _ in range(3)]
        await asyncio.sleep(0.05)
        code, reason, message = await _refusal(found.execute("hang"))
        assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOOL_BUSY")
        assert "3 calls of your organisation" in message
        results = await asyncio.gather(*running)
    assert {result.status for result in results} == {tools_pb2.TOOL_STATUS_TIMEOUT}


async def test_nothing_runs_while_the_policy_is_unknown() -> None:
    async with mesh() as found:
        found.policy.error = UpstreamDown("TOOL_POLICY_UNKNOWN", "No answer.", retry_after_s=1)
        calls = (
            found.execute(),
            found.stub.ListTools(tools_pb2.ListToolsRequest()),
            found.stub.GetTool(tools_pb2.GetToolRequest(name="echo")),
        )
        for call in calls:
            assert (await _refusal(call))[:2] == (grpc.StatusCode.UNAVAILABLE, "TOOL_POLICY_UNKNOWN")
    assert found.echo.calls == []


async def test_strangers_and_those_without_the_permission_get_nothing() -> None:
    async with mesh() as found:
        nobody = tools_pb2_grpc.ToolServiceStub(found.served.channel_as(None))
        reader = tools_pb2_grpc.ToolServiceStub(
            found.served.channel_as(principal(roles=("viewer",), permissions=("tools.read",)))
        )
        request = tools_pb2.ExecuteToolRequest(name="echo", arguments_json='{"text": "hi"}')
        assert (await _refusal(nobody.ListTools(tools_pb2.ListToolsRequest())))[0] is grpc.StatusCode.UNAUTHENTICATED
        assert (await _refusal(nobody.ExecuteTool(request)))[0] is grpc.StatusCode.UNAUTHENTICATED
        assert (await _refusal(reader.ExecuteTool(request)))[0] is grpc.StatusCode.PERMISSION_DENIED
        assert len((await reader.ListTools(tools_pb2.ListToolsRequest())).tools) == 4


async def test_a_caller_who_leaves_stops_the_tool() -> None:
    ended = asyncio.Event()

    async def watch(arguments: JsonObject, call: CallContext) -> ToolOutput:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        raise AssertionError

    async with mesh() as found:
        found.echo._behaviour = watch
        call = asyncio.create_task(found.execute(request_id="r1", timeout=Duration(seconds=30)))
        async with asyncio.timeout(5):
            while not found.echo.calls:
                await asyncio.sleep(0.01)
            call.cancel()
            await ended.wait()
