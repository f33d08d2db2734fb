"""The service as `main.build` wires it: real tools, real policy, peers that are there or not."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import pytest

from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.client.channel import open_channel
from shared.clock import SystemClock
from shared.ids import new_id
from shared.server import Dependencies, Registration, Service
from shared.testing.harness import Served, serving
from tool_executor.adapters import tool_definition_yaml
from tool_executor.main import build
from tool_executor.settings import Settings


class NothingDisabled(settings_pb2_grpc.SettingsServiceServicer):
    """Settings of an organisation that changed nothing."""

    async def GetConfig(self, request: object, context: object) -> settings_pb2.GetConfigResponse:
        return settings_pb2.GetConfigResponse(config=settings_pb2.Config())

    async def WatchConfig(self, request: object, context: object) -> AsyncIterator[settings_pb2.WatchConfigResponse]:
        yield settings_pb2.WatchConfigResponse(config=settings_pb2.Config())
        await asyncio.sleep(60)


@asynccontextmanager
async def tools(settings: Served | None) -> AsyncGenerator[tools_pb2_grpc.ToolServiceStub, None]:
    """Serve the tool executor; of its peers only the settings service may be there."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))

        def channel(address: str) -> grpc.aio.Channel:
            if address == "settings" and settings is not None:
                return settings.channel
            opened = open_channel("unix:/nonexistent/peer.sock", lambda _principal: None)
            stack.push_async_callback(opened.close)
            return opened

        wired = build(
            Settings(settings_address="settings", data_dir=folder, calculator_warm_up_delay_s=600),
            Dependencies(SystemClock(), new_id, channel),
        )
        served = await stack.enter_async_context(serving(wired))
        yield tools_pb2_grpc.ToolServiceStub(served.channel)


def settings_service() -> Service:
    registration = Registration(
        settings_pb2_grpc.add_SettingsServiceServicer_to_server,
        NothingDisabled(),
        settings_pb2.DESCRIPTOR.services_by_name["SettingsService"],
    )
    return Service("settings", [registration])


async def test_the_built_in_tools_run_and_missing_peers_are_outcomes() -> None:
    calls = {
        "calculator": ({"expression": "What is 23*17 + sqrt(144)?"}, "OK", "", "23*17 + sqrt(144) = 403"),
        "get_current_time": ({"time_zone": "UTC"}, "OK", "", "(UTC)."),
        "execute_code": ({"code": "print(1)"}, "ERROR", "UNREACHABLE", "sandbox"),
        "get_user_context": ({"day": "today"}, "ERROR", "UNREACHABLE", "dashboard"),
    }
    async with serving(settings_service()) as settings, tools(settings) as stub:
        listed = (await stub.ListTools(tools_pb2.ListToolsRequest())).tools
        assert calls.keys() <= {tool.name for tool in listed}
        assert all(tool.enabled for tool in listed)
        for name, (arguments, status, reason, told) in calls.items():
            request = tools_pb2.ExecuteToolRequest(name=name, arguments_json=json.dumps(arguments))
            result = (await stub.ExecuteTool(request, timeout=30)).result
            assert (tools_pb2.ToolStatus.Name(result.status), result.error_reason) == (f"TOOL_STATUS_{status}", reason)
            assert told in result.summary


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the definitions, to be edited."""
    with resources.as_file(tool_definition_yaml.DEFINITIONS) as shipped:
        folder = Path(shutil.copytree(shipped, tmp_path / "definitions"))
    monkeypatch.setattr(tool_definition_yaml, "DEFINITIONS", folder)
    return folder


async def test_a_definition_changes_live(definitions: Path) -> None:
    file = definitions / "get_current_time.yaml"
    call = tools_pb2.ExecuteToolRequest(name="get_current_time")
    async with serving(settings_service()) as settings, tools(settings) as stub:
        await stub.ExecuteTool(call)
        file.write_text(file.read_text() + "\ncalls_per_day: 2\n")
        reloaded = await stub.ReloadTools(tools_pb2.ReloadToolsRequest())
        assert (list(reloaded.added), list(reloaded.removed), list(reloaded.failed)) == ([], [], [])
        await stub.ExecuteTool(call)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ExecuteTool(call)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        quota = (await stub.GetTool(tools_pb2.GetToolRequest(name="get_current_time"))).tool.quota
        assert (quota.calls_per_day, quota.day_used) == (2, 2)
        file.write_text("name: [")
        (failure,) = (await stub.ReloadTools(tools_pb2.ReloadToolsRequest())).failed
        assert failure.startswith("builtin: definitions/get_current_time.yaml cannot be used: line 1")
        shown = (await stub.GetTool(tools_pb2.GetToolRequest(name="get_current_time"))).tool
        assert shown.quota.calls_per_day == 2


async def test_without_a_router_a_search_says_so() -> None:
    async with serving(settings_service()) as settings, tools(settings) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.SearchTools(tools_pb2.SearchToolsRequest(query="what time is it"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_nothing_runs_without_the_settings_service() -> None:
    async with tools(None) as stub:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ExecuteTool(tools_pb2.ExecuteToolRequest(name="get_current_time"))
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
