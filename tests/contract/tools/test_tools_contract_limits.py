"""What stands around tools, over a real server: limits, breakers, dry runs, effects once, search, reload."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from tools_fakes import ECHO, ScriptedTool
from tools_service import served_tools

from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.auth.context import current_principal
from shared.errors import Forbidden, UpstreamDown
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal, serving
from tool_executor.adapters.embedder_grpc import GrpcEmbedder
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, SideEffect
from tool_executor.domain.tool_source import SourceId
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_source import ToolSource


def call(name: str = "echo", **fields: object) -> tools_pb2.ExecuteToolRequest:
    return tools_pb2.ExecuteToolRequest(name=name, arguments_json='{"text": "hi"}', **fields)  # type: ignore[arg-type]


async def refused(work: object) -> tuple[grpc.StatusCode, str, float]:
    """Return the code, the reason and the seconds to wait with which `work` fails."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await work  # type: ignore[misc]
    details = dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    for detail in status_pb2.Status.FromString(details).details:  # type: ignore[arg-type]
        detail.Unpack(info)
        detail.Unpack(retry)
    return caught.value.code(), info.reason, retry.retry_delay.ToMilliseconds() / 1000


async def test_limits_are_refused_with_a_time_and_shown(tmp_path: Path) -> None:
    clock = FakeClock()
    limited = ScriptedTool(definition=dataclasses.replace(ECHO, calls_per_minute=2, calls_per_day=3))
    async with served_tools(tmp_path, [limited], clock) as (_, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        for _ in range(2):
            await stub.ExecuteTool(call())
        wrong = tools_pb2.ExecuteToolRequest(name="echo", arguments_json="{}")
        assert (await stub.ExecuteTool(wrong)).result.error_reason == "ARGUMENTS_INVALID"
        assert await refused(stub.ExecuteTool(call())) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOOL_RATE_LIMITED", 61)
        clock.advance(61)
        await stub.ExecuteTool(call())
        code, reason, wait_s = await refused(stub.ExecuteTool(call()))
        assert (code, reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOOL_QUOTA_EXCEEDED")
        assert 0 < wait_s < 12 * 3600
        quota = (await stub.GetTool(tools_pb2.GetToolRequest(name="echo"))).tool.quota
        assert (quota.calls_per_minute, quota.minute_used, quota.calls_per_day, quota.day_used) == (2, 1, 3, 3)
        other = tools_pb2_grpc.ToolServiceStub(served.channel_as(principal(org_id="org-b")))
        await other.ExecuteTool(call())
    assert len(limited.calls) == 4


async def test_a_broken_tool_is_refused_and_shown(tmp_path: Path) -> None:
    async def fail(arguments: JsonObject, context: CallContext) -> ToolOutput:
        raise UpstreamDown("UNREACHABLE", "Away.")

    clock = FakeClock()
    async with served_tools(tmp_path, [ScriptedTool(fail)], clock) as (_, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)

        async def shown() -> tuple[int, int]:
            (tool,) = (await stub.ListTools(tools_pb2.ListToolsRequest())).tools
            return tool.breaker, tool.quota.day_used

        assert await shown() == (tools_pb2.BREAKER_STATE_CLOSED, 0)
        for _ in range(3):
            assert (await stub.ExecuteTool(call())).result.error_reason == "UNREACHABLE"
        code, reason, wait_s = await refused(stub.ExecuteTool(call()))
        assert (code, reason) == (grpc.StatusCode.UNAVAILABLE, "TOOL_BROKEN")
        assert wait_s >= 1
        assert await shown() == (tools_pb2.BREAKER_STATE_OPEN, 3)
        clock.advance(wait_s + 0.1)
        assert await shown() == (tools_pb2.BREAKER_STATE_HALF_OPEN, 3)


async def test_what_is_refused_before_it_runs_is_no_effect_in_the_audit(tmp_path: Path) -> None:
    began, go = asyncio.Event(), asyncio.Event()

    async def wait(arguments: JsonObject, context: CallContext) -> ToolOutput:
        began.set()
        await go.wait()
        raise UpstreamDown("UNREACHABLE", "Away.")

    definition = dataclasses.replace(
        ECHO, side_effect=SideEffect.WRITE, timeout_s=30, max_concurrency=1, calls_per_minute=3
    )
    clock = FakeClock()
    async with served_tools(tmp_path, [ScriptedTool(wait, definition)], clock) as (bench, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        for wrong in ("{}", "[1]"):
            await stub.ExecuteTool(tools_pb2.ExecuteToolRequest(name="echo", arguments_json=wrong))
        assert bench.audit.events == []
        running = asyncio.ensure_future(stub.ExecuteTool(call(), timeout=20))
        await asyncio.wait_for(began.wait(), 5)
        assert len(bench.audit.events) == 1
        assert (await refused(stub.ExecuteTool(call())))[1] == "TOOL_BUSY"
        go.set()
        await running
        for _ in range(2):
            await stub.ExecuteTool(call())
        assert (await refused(stub.ExecuteTool(call())))[1] == "TOOL_BROKEN"
        clock.advance(10)
        assert (await refused(stub.ExecuteTool(call())))[1] == "TOOL_RATE_LIMITED"
    assert [event.allowed for event in bench.audit.events] == [True] * 3


async def test_parallel_calls_have_deadlines_of_their_own(tmp_path: Path) -> None:
    go = asyncio.Event()

    async def wait(arguments: JsonObject, context: CallContext) -> ToolOutput:
        await go.wait()
        return ToolOutput({"text": ""}, "done")

    tool = ScriptedTool(wait, dataclasses.replace(ECHO, timeout_s=30, max_concurrency=8))
    async with served_tools(tmp_path, [tool]) as (_, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        patient = [asyncio.ensure_future(stub.ExecuteTool(call(request_id=f"p{n}"), timeout=20)) for n in range(2)]
        hasty = await stub.ExecuteTool(call(timeout=Duration(nanos=20_000_000), request_id="h"), timeout=20)
        assert hasty.result.status == tools_pb2.TOOL_STATUS_TIMEOUT
        assert not any(each.done() for each in patient)
        go.set()
        assert {(await each).result.summary for each in patient} == {"done"}


async def test_a_dry_run_costs_no_call_of_the_day_and_is_refused_without_support(tmp_path: Path) -> None:
    able = dataclasses.replace(ECHO, supports_dry_run=True, side_effect=SideEffect.EXTERNAL, calls_per_day=1)
    tools = [ScriptedTool(definition=able), ScriptedTool(definition=dataclasses.replace(ECHO, name="unable"))]
    async with served_tools(tmp_path, tools) as (_, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        for _ in range(3):
            await stub.ExecuteTool(call(dry_run=True, request_id="r1"))
        await stub.ExecuteTool(call(request_id="r1"))
        shown = (await stub.GetTool(tools_pb2.GetToolRequest(name="echo"))).tool
        assert (shown.quota.day_used, shown.supports_dry_run) == (1, True)
        assert [context.dry_run for _, context in tools[0].calls] == [True, True, True, False]
        code, reason, _ = await refused(stub.ExecuteTool(call("unable", dry_run=True)))
        assert (code, reason) == (grpc.StatusCode.FAILED_PRECONDITION, "DRY_RUN_UNSUPPORTED")


@pytest.mark.parametrize("side_effect", [each for each in SideEffect if each is not SideEffect.READ])
async def test_an_effect_happens_once_even_over_a_restart(tmp_path: Path, side_effect: SideEffect) -> None:
    effect = ScriptedTool(definition=dataclasses.replace(ECHO, side_effect=side_effect))
    read = ScriptedTool(definition=dataclasses.replace(ECHO, name="read"))
    told = []
    for _ in range(2):
        async with served_tools(tmp_path, [effect, read]) as (_, served):
            stub = tools_pb2_grpc.ToolServiceStub(served.channel)
            told.append((await stub.ExecuteTool(call(request_id="r1"))).result)
            await stub.ExecuteTool(call("read", request_id="r2"))
    assert told[0] == told[1]
    assert (len(effect.calls), len(read.calls)) == (1, 2)


async def test_an_effect_that_was_cut_off_is_never_done_again(tmp_path: Path) -> None:
    began = asyncio.Event()

    async def hang(arguments: JsonObject, context: CallContext) -> ToolOutput:
        began.set()
        await asyncio.sleep(60)
        raise AssertionError

    tool = ScriptedTool(hang, dataclasses.replace(ECHO, side_effect=SideEffect.PAYMENT, timeout_s=30))
    async with served_tools(tmp_path, [tool]) as (_, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        running = stub.ExecuteTool(call(request_id="r1"), timeout=20)
        await began.wait()
        running.cancel()
    async with served_tools(tmp_path, [tool]) as (_, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        result = (await stub.ExecuteTool(call(request_id="r1"))).result
    assert (result.status, result.error_reason) == (tools_pb2.TOOL_STATUS_ERROR, "EFFECT_UNKNOWN")
    assert len(tool.calls) == 1


async def test_a_search_finds_what_the_caller_may_use_and_nothing_else(tmp_path: Path) -> None:
    tools = [
        ScriptedTool(definition=dataclasses.replace(ECHO, name=name, description=said, examples=()))
        for name, said in [("rain", "Tells the weather."), ("snow", "Tells the weather too."), ("sums", "Computes.")]
    ]
    async with served_tools(tmp_path, tools) as (bench, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        request = tools_pb2.SearchToolsRequest(query="tells the weather", limit=2, agent="clerk", channel="telegram")
        found = (await stub.SearchTools(request)).tools
        assert [each.tool.name for each in found] == ["rain", "snow"]
        assert found[0].score > found[1].score > 0
        origin = bench.policy.questions[-1].origin
        assert (origin.agent, origin.channel) == ("clerk", "telegram")
        bench.policy.blocked["rain"] = "no-rain"
        bench.policy.disabled["org-a"] = frozenset({"sums"})
        assert [each.tool.name for each in (await stub.SearchTools(request)).tools] == ["snow"]
        (rain,) = [each for each in (await stub.ListTools(tools_pb2.ListToolsRequest())).tools if each.name == "rain"]
        assert (rain.enabled, rain.allowed, rain.blocked_reason) == (True, False, "It is blocked.")
        bench.embedder.error = UpstreamDown("UNREACHABLE", "The router does not answer.")
        assert (await refused(stub.SearchTools(request)))[:2] == (grpc.StatusCode.UNAVAILABLE, "UNREACHABLE")


async def test_a_search_goes_on_behind_what_is_forbidden_and_decides_on_few(tmp_path: Path) -> None:
    tools = [
        ScriptedTool(definition=dataclasses.replace(ECHO, name=f"tool_{n:03}", description="Tells the weather."))
        for n in range(300)
    ]
    async with served_tools(tmp_path, tools) as (bench, served):
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        request = tools_pb2.SearchToolsRequest(query="tells the weather", limit=5)
        names = [each.tool.name for each in (await stub.SearchTools(request)).tools]
        assert len(bench.policy.questions) == 1
        bench.policy.disabled["org-a"] = frozenset(tool.definition.name for tool in tools) - {"tool_299", *names[1:]}
        after = [each.tool.name for each in (await stub.SearchTools(request)).tools]
    assert after == [*names[1:], "tool_299"]


class OneSource:
    """Gives tools to one organisation."""

    def __init__(self, tools: list[Tool]) -> None:
        self.tools = tools

    @property
    def id(self) -> SourceId:
        return SourceId("mcp:files", "org-a")

    async def load(self) -> Sequence[Tool]:
        return self.tools

    def of(self, org_id: str) -> Sequence[ToolSource]:
        return [self] if org_id == "org-a" else []


async def test_a_reload_shows_what_changed_and_needs_its_permission(tmp_path: Path) -> None:
    async with served_tools(tmp_path, [ScriptedTool()]) as (bench, served):
        source = OneSource([ScriptedTool(definition=dataclasses.replace(ECHO, name="files_read", source="mcp:files"))])
        bench.sources.append(source)
        stub = tools_pb2_grpc.ToolServiceStub(served.channel)
        assert list((await stub.ReloadTools(tools_pb2.ReloadToolsRequest())).added) == ["files_read"]
        assert (await stub.ExecuteTool(call("files_read"))).result.summary == "hi"
        stranger = tools_pb2_grpc.ToolServiceStub(served.channel_as(principal(org_id="org-b")))
        assert (await refused(stranger.ExecuteTool(call("files_read"))))[1] == "TOOL_UNKNOWN"
        source.tools = []
        assert list((await stub.ReloadTools(tools_pb2.ReloadToolsRequest())).removed) == ["files_read"]
        operator = served.channel_as(principal(roles=("operator",), permissions=("tools.execute", "tools.read")))
        code, _, _ = await refused(tools_pb2_grpc.ToolServiceStub(operator).ReloadTools(tools_pb2.ReloadToolsRequest()))
        assert code is grpc.StatusCode.PERMISSION_DENIED


class ScriptedRouter(router_pb2_grpc.RouterServiceServicer):
    """Embeds every text as its length."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, str]] = []
        self.model = "local/minilm"
        self.error: Forbidden | None = None
        self.extra = 0

    async def Embed(self, request: router_pb2.EmbedRequest, context: object) -> router_pb2.EmbedResponse:
        self.asked.append((request.model, len(request.inputs), current_principal().user_id))
        if self.error:
            raise self.error
        vectors = [router_pb2.Embedding(values=[float(len(text))]) for text in [*request.inputs, *["x"] * self.extra]]
        return router_pb2.EmbedResponse(model=self.model, embeddings=vectors)


async def test_texts_become_vectors_of_one_model_as_the_caller() -> None:
    router = ScriptedRouter()
    registration = Registration(
        router_pb2_grpc.add_RouterServiceServicer_to_server,
        router,
        router_pb2.DESCRIPTOR.services_by_name["RouterService"],
    )
    async with serving(Service("router", [registration]), principal(user_id="user-7")) as served:
        embedder = GrpcEmbedder(served.channel)
        made = await embedder.embed(["x" * (1 + number % 7) for number in range(100)])
        assert (made.model, [list(each) for each in made.vectors[:3]]) == ("local/minilm", [[1.0], [2.0], [3.0]])
        assert len(made.vectors) == 100
        # What comes later is asked of the model that answered first.
        assert router.asked == [("", 64, "user-7"), ("local/minilm", 36, "user-7")]
        with pytest.raises(UpstreamDown) as caught:
            await embedder.embed(["x"], "other/model")
        assert caught.value.reason == "EMBEDDING_ANSWER_BROKEN"
        router.extra = 1
        with pytest.raises(UpstreamDown):
            await embedder.embed(["x"])
        router.error = Forbidden("PERMISSION_DENIED", "This needs models.use.")
        with pytest.raises(Forbidden):
            await embedder.embed(["x"])
