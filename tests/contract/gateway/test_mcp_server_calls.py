"""Tools, the agent and artifacts for the official MCP client, in the versions with sessions and in the one without."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError
from mcp_gateway_rig import (
    CONVERSATION_ID,
    PICTURE,
    PICTURE_ID,
    RUN_ID,
    TEXT_ID,
    VIEWER,
    McpGateway,
    begun,
    mcp_gateway,
    tool,
)
from mcp_types import ResourceTemplateReference

from protos.gen.nexus.tools.v1 import tools_pb2

Connect = Callable[[], AbstractAsyncContextManager[Client]]
MODES = {"legacy": "2025-11-25", "auto": "2026-07-28"}
URI = "nexus://artifacts/"
UNKNOWN_RESOURCE = {"legacy": -32002, "auto": -32602}


@pytest.fixture
async def gate() -> AsyncGenerator[McpGateway, None]:
    async with mcp_gateway() as running:
        yield running


@pytest.fixture(params=MODES)
def mode(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def connect(gate: McpGateway, mode: str) -> Connect:
    @asynccontextmanager
    async def connected() -> AsyncGenerator[Client, None]:
        async with gate.client(mode=mode) as client:
            assert client.protocol_version == MODES[mode]
            yield client

    return connected


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.005)


async def test_a_caller_is_shown_the_agent_and_the_tools_that_are_theirs(connect: Connect) -> None:
    async with connect() as client:
        tools = {each.name: each for each in (await client.list_tools()).tools}
        assert list(tools) == ["ask_agent", "echo", "send_mail"]
        assert tools["echo"].input_schema == {"type": "object", "properties": {"text": {"type": "string"}}}
        hints = {name: each.annotations for name, each in tools.items()}
        assert hints["echo"].read_only_hint
        assert (hints["send_mail"].destructive_hint, hints["send_mail"].open_world_hint) == (True, True)


async def test_who_may_run_nothing_is_shown_nothing(gate: McpGateway, mode: str) -> None:
    async with gate.client(VIEWER, mode=mode) as client:
        assert (await client.list_tools()).tools == []
        assert (await client.list_resources()).resources == []


async def test_lists_come_in_pages(gate: McpGateway, connect: Connect) -> None:
    async with connect() as client:
        gate.tools.tools.append(tool("more"))
        first = await client.list_tools()
        rest = await client.list_tools(cursor=first.next_cursor)
        names = [[each.name for each in page.tools] for page in (first, rest)]
        assert names == [["ask_agent", "echo", "send_mail"], ["more"]]


async def test_no_tool_asks_for_arguments_in_headers(gate: McpGateway, connect: Connect) -> None:
    gate.tools.tools[
        0
    ].input_json_schema = '{"type": "object", "properties": {"a": {"type": "string", "x-mcp-header": "A"}}}'
    async with connect() as client:
        listed = (await client.list_tools()).tools[1].input_schema
        assert listed == {"type": "object", "properties": {"a": {"type": "string"}}}
        assert not (await client.call_tool("echo", {"a": "b"})).is_error


async def test_a_tool_without_a_schema_for_objects_is_not_offered(gate: McpGateway, connect: Connect) -> None:
    async with connect() as client:
        gate.tools.tools[0].input_json_schema = '{"type": "array"}'
        gate.tools.tools[1].name = "ask_agent"
        assert [each.name for each in (await client.list_tools()).tools] == ["ask_agent"]


async def test_a_call_runs_as_its_caller_and_answers_as_data_and_as_text(gate: McpGateway, connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("echo", {"text": "hi"})
        assert (result.structured_content, result.is_error) == ({"text": "hi"}, False)
        assert result.content[0].text == '{"text": "hi"}'
        assert gate.tools.callers == ["user-1"]
        assert gate.tools.calls[0].channel == "mcp"


async def test_a_request_is_done_once_in_its_session_and_sessions_share_nothing(gate: McpGateway) -> None:
    call = {"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": {"name": "echo", "arguments": {}}}
    async with gate.raw() as http:
        one, two = await begun(http, gate.url), await begun(http, gate.url)
        for headers, body in ((one, call), (one, call), (one, call | {"id": "5"}), (two, call)):
            assert (await http.post(gate.url, json=body, headers=headers)).status_code == 200
    keys = [each.request_id for each in gate.tools.calls]
    workspaces = [each.conversation_id for each in gate.tools.calls]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert workspaces[0] == workspaces[1] == workspaces[2] != workspaces[3]
    # The id of a session is its client's secret.
    assert not any(one["mcp-session-id"] in text for text in (*keys, *workspaces))


async def test_requests_that_stand_alone_share_nothing(gate: McpGateway) -> None:
    async with gate.client() as client:
        for _ in range(2):
            await client.call_tool("echo", {})
    assert gate.tools.calls[0].request_id != gate.tools.calls[1].request_id
    assert [each.conversation_id for each in gate.tools.calls] == ["", ""]


async def test_a_call_that_is_not_allowed_says_why(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("blocked", {})
        assert result.is_error
        assert result.meta["nexus/reason"] == "TOOL_BLOCKED"
        assert result.content[0].text == "TOOL_BLOCKED: The policy no-mail blocks this."


async def test_an_unknown_tool_is_an_error_of_the_protocol(connect: Connect) -> None:
    async with connect() as client:
        with pytest.raises(MCPError, match="no such tool") as raised:
            await client.call_tool("nope", {})
        assert (raised.value.error.code, raised.value.error.data) == (-32602, {"reason": "TOOL_UNKNOWN"})


async def test_a_failure_tells_what_there_is(gate: McpGateway, connect: Connect) -> None:
    async with connect() as client:
        gate.tools.results["echo"] = tools_pb2.ToolResult(
            status=tools_pb2.TOOL_STATUS_ERROR,
            output_json='{"stdout":"1"}',
            summary="It broke.",
            error_reason="CODE_FAILED",
        )
        result = await client.call_tool("echo", {})
        assert (result.is_error, result.structured_content) == (True, None)
        assert [each.text for each in result.content] == ["CODE_FAILED: It broke.", '{"stdout":"1"}']


async def test_an_output_that_is_cut_to_pieces_is_an_error_with_a_link_to_the_whole(
    gate: McpGateway, connect: Connect
) -> None:
    async with connect() as client:
        whole = tools_pb2.ArtifactHandle(
            artifact_id=TEXT_ID, name="all.json", media_type="application/json", size_bytes=9
        )
        cut = '{"truncated_text":"..."}'
        gate.tools.results["echo"] = tools_pb2.ToolResult(
            status=tools_pb2.TOOL_STATUS_OK, output_json=cut, truncated=True, artifacts=[whole]
        )
        result = await client.call_tool("echo", {})
        assert (result.is_error, result.meta["nexus/reason"]) == (True, "OUTPUT_CUT")
        assert (result.content[-1].type, result.content[-1].uri) == ("resource_link", URI + TEXT_ID)


async def test_a_picture_that_a_call_left_is_shown_unless_it_is_too_large(gate: McpGateway, connect: Connect) -> None:
    plot = tools_pb2.ArtifactHandle(
        artifact_id=PICTURE_ID, name="plot.png", media_type="image/png", size_bytes=len(PICTURE)
    )
    large = tools_pb2.ArtifactHandle(artifact_id=TEXT_ID, name="l.png", media_type="image/png", size_bytes=700 * 1024)
    gate.tools.results["echo"] = tools_pb2.ToolResult(
        status=tools_pb2.TOOL_STATUS_OK, output_json="{}", artifacts=[large, plot]
    )
    async with connect() as client:
        result = await client.call_tool("echo", {})
    assert [each.type for each in result.content] == ["text", "image", "resource_link", "resource_link"]
    assert (result.content[1].mime_type, base64.b64decode(result.content[1].data)) == ("image/png", PICTURE)


async def test_a_cancelled_call_is_ended(gate: McpGateway, connect: Connect) -> None:
    async with connect() as client:
        calling = asyncio.create_task(client.call_tool("echo", {"text": "hang"}))
        await asyncio.wait_for(gate.tools.started.wait(), 5)
        calling.cancel()
        await asyncio.wait_for(gate.tools.cancelled.wait(), 5)
        # What else the client does goes on.
        assert (await client.call_tool("echo", {"text": "hi"})).structured_content == {"text": "hi"}


async def test_the_agent_tells_what_it_does_and_answers(gate: McpGateway, connect: Connect) -> None:
    async with connect() as client:
        told: list[tuple[float, str | None]] = []

        async def tell(progress: float, total: float | None, message: str | None) -> None:
            told.append((progress, message))

        arguments = {"question": "17*23+12?", "conversation_id": CONVERSATION_ID}
        result = await client.call_tool("ask_agent", arguments, progress_callback=tell)
        await until(lambda: len(told) >= 6)
        assert [number for number, _ in told] == list(range(1, len(told) + 1))
        texts = [text for _, text in told]
        assert RUN_ID in (texts[0] or "")
        assert texts[1:4] == ["OFFLINE_MODEL: It is small.", 'calculator {"a":1}', "calculator says: 403"]
        assert "".join(text or "" for text in texts[4:]) == "It is 403."
        assert result.content[0].text == "It is 403."
        assert result.structured_content == {
            "answer": "It is 403.",
            "run_id": RUN_ID,
            "conversation_id": CONVERSATION_ID,
            "warnings": ["OFFLINE_MODEL: It is small."],
        }
        assert base64.b64decode(result.content[1].data) == PICTURE
        assert [each.uri for each in result.content[2:]] == [URI + PICTURE_ID, URI + TEXT_ID]
        assert gate.agent.queries[0].conversation_id == CONVERSATION_ID
        # What narrows the tools of this way in narrows the agent that is asked over it.
        assert gate.agent.queries[0].channel == "mcp"


async def test_a_run_that_fails_says_why(connect: Connect) -> None:
    async with connect() as client:
        result = await client.call_tool("ask_agent", {"question": "fail"})
        assert result.is_error
        assert result.content[0].text == f"MODEL_DOWN: No model answers. (run {RUN_ID}, conversation {CONVERSATION_ID})"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"question": " "}, {"question": 1}, {"question": "q", "x": 1}, {"question": "q", "conversation_id": 5}],
)
async def test_the_agent_is_asked_rightly_or_not_at_all(gate: McpGateway, arguments: dict[str, Any]) -> None:
    async with gate.client() as client:
        result = await client.call_tool("ask_agent", arguments)
    assert (result.is_error, result.meta["nexus/reason"]) == (True, "ARGUMENTS_INVALID")
    assert gate.agent.queries == []


# "silent": the client leaves before the run has a name.
@pytest.mark.parametrize("question", ["wait", "silent"])
async def test_a_cancelled_question_cancels_its_run(gate: McpGateway, connect: Connect, question: str) -> None:
    async with connect() as client:
        asking = asyncio.create_task(client.call_tool("ask_agent", {"question": question}))
        await asyncio.wait_for(gate.agent.started.wait(), 5)
        asking.cancel()
        assert await asyncio.wait_for(gate.agent.cancelled.get(), 5) == RUN_ID
        assert len({each.request_id for each in gate.agent.queries}) == 1


async def test_a_lost_connection_cancels_nothing_while_the_session_stands(gate: McpGateway) -> None:
    params = {"name": "ask_agent", "arguments": {"question": "wait"}}
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with gate.raw() as http:
        headers = await begun(http, gate.url)
        async with http.stream("POST", gate.url, json=ask, headers=headers):
            await asyncio.wait_for(gate.agent.started.wait(), 5)
        assert (await http.post(gate.url, json=ask | {"id": 2, "method": "ping"}, headers=headers)).status_code == 200
        assert gate.agent.cancelled.empty()
        assert (await http.delete(gate.url, headers=headers)).status_code == 200
        assert await asyncio.wait_for(gate.agent.cancelled.get(), 5) == RUN_ID


async def test_the_end_of_the_server_cancels_what_its_clients_wait_for() -> None:
    params = {"name": "ask_agent", "arguments": {"question": "wait"}}
    ask = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    async with AsyncExitStack() as stack:
        gate = await stack.enter_async_context(mcp_gateway())
        async with gate.raw() as http:
            headers = await begun(http, gate.url)
            asking = asyncio.create_task(http.post(gate.url, json=ask, headers=headers))
            await asyncio.wait_for(gate.agent.started.wait(), 5)
            await stack.aclose()
            assert gate.agent.cancelled.get_nowait() == RUN_ID
            with pytest.raises(httpx2.TransportError):
                await asking


async def test_artifacts_are_resources(connect: Connect) -> None:
    async with connect() as client:
        resources = (await client.list_resources()).resources
        assert [(each.uri, each.name, each.mime_type, each.size) for each in resources] == [
            (URI + PICTURE_ID, "plot.png", "image/png", len(PICTURE)),
            (URI + TEXT_ID, "notes.txt", "text/plain", 7),
        ]
        text, picture = [(await client.read_resource(URI + each)).contents[0] for each in (TEXT_ID, PICTURE_ID)]
        assert (text.text, text.mime_type) == ("grüße", "text/plain")
        assert base64.b64decode(picture.blob) == PICTURE


@pytest.mark.parametrize("uri", ["file:///etc/passwd", f"{URI}unknown", URI])
async def test_what_is_no_artifact_is_no_resource(connect: Connect, mode: str, uri: str) -> None:
    async with connect() as client:
        with pytest.raises(MCPError) as raised:
            await client.read_resource(uri)
        assert (raised.value.error.code, raised.value.error.data) == (
            UNKNOWN_RESOURCE[mode],
            {"reason": "RESOURCE_UNKNOWN"},
        )


async def test_ids_of_artifacts_are_completed(connect: Connect) -> None:
    async with connect() as client:
        templates = (await client.list_resource_templates()).resource_templates
        ref = ResourceTemplateReference(uri=templates[0].uri_template)
        found = await client.complete(ref, {"name": "artifact_id", "value": TEXT_ID[:-1]})
        assert found.completion.values == [PICTURE_ID, TEXT_ID]
        assert (await client.complete(ref, {"name": "artifact_id", "value": "x"})).completion.values == []


async def test_a_client_of_a_session_hears_that_lists_changed(gate: McpGateway) -> None:
    heard: list[str] = []

    async def hear(message: Any) -> None:
        heard.append(getattr(message, "method", ""))

    async with gate.client(mode="legacy", message_handler=hear) as client:
        await until(lambda: gate.tools.looks >= 2)
        gate.tools.tools.append(tool("new"))
        await until(lambda: "notifications/tools/list_changed" in heard)
        gate.artifacts.kept.pop(PICTURE_ID)
        await until(lambda: "notifications/resources/list_changed" in heard)
        assert len(heard) == 2
        assert (await client.call_tool("echo", {})).structured_content == {}


async def test_a_client_without_a_session_hears_it_where_it_listens(gate: McpGateway) -> None:
    async with gate.client() as client, client.listen(tools_list_changed=True) as subscription:
        await until(lambda: gate.tools.looks >= 2)
        gate.tools.tools.append(tool("new"))
        event = await asyncio.wait_for(anext(aiter(subscription)), 5)
        assert type(event).__name__ == "ToolsListChanged"
