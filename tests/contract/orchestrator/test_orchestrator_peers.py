"""The adapters towards the other services, against servers that speak their contracts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest

from orchestrator.adapters import connection_patience
from orchestrator.adapters.agent_config_grpc import GrpcAgentConfig
from orchestrator.adapters.embedder_grpc import GrpcEmbedder
from orchestrator.adapters.model_catalog_grpc import GrpcModelCatalog
from orchestrator.adapters.model_client_grpc import GrpcModelClient
from orchestrator.adapters.tool_catalog_grpc import GrpcToolCatalog
from orchestrator.adapters.tool_runner_grpc import GrpcToolRunner
from orchestrator.domain.agent_config import AgentConfig
from orchestrator.domain.chat import (
    CacheHit,
    Catalogue,
    ChatCompleted,
    ChatMessage,
    ChatRequest,
    ChatRole,
    ChatStarted,
    ChatText,
    ChatToolCallPart,
    FinishReason,
    ModelInfo,
    ToolCall,
    ToolOffer,
)
from orchestrator.domain.routing import CacheMode, DataClass, Routing
from orchestrator.domain.tools import ANYWHERE, Origin, Tool, ToolOutcome
from orchestrator.ports.tool_runner import ToolRequest
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2, router_pb2_grpc
from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.auth.context import acting_as
from shared.client.channel import open_channel
from shared.errors import UpstreamDown
from shared.testing.harness import principal

QUESTION = ChatRequest(
    model="a/b",
    messages=(
        ChatMessage(ChatRole.SYSTEM, "s"),
        ChatMessage(ChatRole.ASSISTANT, "", tool_calls=(ToolCall("c", "t", "{}"),)),
        ChatMessage(ChatRole.TOOL, "4", tool_call_id="c"),
    ),
    tools=(ToolOffer("t", "d", "{}"),),
    response_json_schema='{"type":"object"}',
    max_output_tokens=7,
    request_id="r" * 100,
    conversation_id="c-1",
    routing=Routing("deep", DataClass.CONFIDENTIAL, ("eu",), 0, CacheMode.EXACT),
)


class Router(router_pb2_grpc.RouterServiceServicer):
    """Answers as scripted; keeps the requests, and whether a stream of it is over."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.left = asyncio.Event()
        self.cache_hit: router_pb2.CacheHit | None = None
        self.cost_unknown = False

    async def StreamChatCompletion(self, request, context):
        self.requests.append(request.request)
        # The caller may leave at any yield, so only gRPC itself knows when the call is over.
        context.add_done_callback(lambda _: self.left.set())
        answer = router_pb2.StreamChatCompletionResponse
        started = router_pb2.StreamStarted(model="a/b", demonstration=True)
        if self.cache_hit is not None:
            started.cache_hit.CopyFrom(self.cache_hit)
        yield answer(started=started)
        yield answer(text_delta="Hi")
        yield answer(tool_call_delta=router_pb2.ToolCallDelta(index=1, id="c", name="t", arguments_json="{"))
        if request.request.model == "hangs/here":
            await asyncio.Event().wait()
        usage = router_pb2.TokenUsage(input_tokens=1, output_tokens=2)
        reason = router_pb2.FINISH_REASON_TOOL_CALLS
        fields = {"finish_reason": reason, "usage": usage, "cost_micro_usd": 3, "cost_unknown": self.cost_unknown}
        yield answer(completed=router_pb2.StreamCompleted(**fields))

    async def ListModels(self, request, context):
        fields = {"chat": True, "tool_calling": True, "context_length": 9, "demonstration": True, "configured": True}
        model = router_pb2.Model(name="a/b", free=True, **fields)
        problem = router_pb2.ConfigurationProblem(file="limits.yaml", line=3, message="no such scope.")
        unusable = router_pb2.Unusable(name="c", reason="It has no key.")
        return router_pb2.ListModelsResponse(models=[model], configuration_problems=[problem], unusable=[unusable])

    async def Embed(self, request, context):
        self.requests.append(request)
        vectors = [router_pb2.Embedding(values=[float(len(text)), 0.5]) for text in request.inputs]
        return router_pb2.EmbedResponse(embeddings=vectors)


class Tools(tools_pb2_grpc.ToolServiceServicer):
    """Two pages of tools, one of them off; a call that works and one that fails."""

    def __init__(self) -> None:
        self.requests: list[Any] = []
        self.left_s: list[float] = []

    async def ListTools(self, request, context):
        self.requests.append(request)
        first = not request.page_token
        tool = tools_pb2.Tool(name="first" if first else "second", enabled=True, allowed=True, examples=["e"])
        tool.timeout.FromSeconds(5)
        tools = [tool] if first else [tool, tools_pb2.Tool(name="off"), tools_pb2.Tool(name="blocked", enabled=True)]
        return tools_pb2.ListToolsResponse(tools=tools, next_page_token="2" if first else "")

    async def SearchTools(self, request, context):
        self.requests.append(request)
        tools = [tools_pb2.Tool(name="best", enabled=True, allowed=True), tools_pb2.Tool(name="blocked", enabled=True)]
        return tools_pb2.SearchToolsResponse(tools=[tools_pb2.FoundTool(tool=tool, score=0.5) for tool in tools])

    async def ExecuteTool(self, request, context):
        self.requests.append(request)
        self.left_s.append(context.time_remaining())
        good = request.name == "good"
        result = tools_pb2.ToolResult(
            status=tools_pb2.TOOL_STATUS_OK if good else tools_pb2.TOOL_STATUS_ERROR,
            output_json='{"a":1}',
            summary="s",
            error_reason="" if good else "BROKEN",
        )
        result.duration.FromMilliseconds(12)
        return tools_pb2.ExecuteToolResponse(result=result)


class SomeSettings(settings_pb2_grpc.SettingsServiceServicer):
    """A configuration with some values set."""

    async def GetConfig(self, request, context):
        agent = settings_pb2.AgentConfig(default_model="a/b", max_steps=3, time_zone="Europe/Berlin")
        return settings_pb2.GetConfigResponse(config=settings_pb2.Config(agent=agent))


@asynccontextmanager
async def peers(address: str, router: Router, tools: Tools) -> AsyncGenerator[None, None]:
    server = grpc.aio.server()
    router_pb2_grpc.add_RouterServiceServicer_to_server(router, server)
    tools_pb2_grpc.add_ToolServiceServicer_to_server(tools, server)
    settings_pb2_grpc.add_SettingsServiceServicer_to_server(SomeSettings(), server)
    server.add_insecure_port(address)
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
def tools() -> Tools:
    return Tools()


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"unix:{tmp_path}/p"


@pytest.fixture
async def channel(address) -> AsyncGenerator[grpc.aio.Channel, None]:
    channel = open_channel(address, lambda _: None)
    yield channel
    await channel.close()


async def test_a_chat_goes_out_whole_and_its_events_come_back(address, channel, router, tools) -> None:
    async with peers(address, router, tools):
        events = [event async for event in GrpcModelClient(channel).stream(QUESTION, 5)]
    assert events == [
        ChatStarted("a/b", demonstration=True),
        ChatText("Hi"),
        ChatToolCallPart(1, "c", "t", "{"),
        ChatCompleted(FinishReason.TOOL_CALLS, 1, 2, 3),
    ]
    (sent,) = router.requests
    assert [message.role for message in sent.messages] == [
        router_pb2.ROLE_SYSTEM,
        router_pb2.ROLE_ASSISTANT,
        router_pb2.ROLE_TOOL,
    ]
    assert (sent.messages[1].tool_calls[0].id, sent.messages[2].tool_call_id) == ("c", "c")
    assert (sent.max_output_tokens, len(sent.request_id)) == (7, 64)
    assert not sent.HasField("temperature")
    assert sent.routing == router_pb2.RoutingOptions(
        tier="deep",
        data_class=contract_pb2.DATA_CLASS_CONFIDENTIAL,
        residency=["eu"],
        max_cost_micro_usd=0,
        conversation_id="c-1",
        cache_mode=router_pb2.CACHE_MODE_EXACT,
    )


@pytest.mark.parametrize(
    ("mode", "found"),
    [(router_pb2.CACHE_MODE_EXACT, CacheMode.EXACT), (router_pb2.CACHE_MODE_SEMANTIC, CacheMode.SEMANTIC)],
)
async def test_that_an_answer_is_cached_or_its_cost_unknown_comes_along(
    address, channel, router, tools, mode, found
) -> None:
    router.cache_hit = router_pb2.CacheHit(mode=mode, similarity_ppm=970_000)
    router.cache_hit.age.FromMilliseconds(12_300)
    router.cost_unknown = True
    async with peers(address, router, tools):
        events = [event async for event in GrpcModelClient(channel).stream(QUESTION, 5)]
    assert events[0] == ChatStarted("a/b", demonstration=True, cache_hit=CacheHit(found, 12_300, 970_000))
    assert events[-1] == ChatCompleted(FinishReason.TOOL_CALLS, 1, 2, 3, cost_unknown=True)


async def test_a_chat_without_options_leaves_them_to_the_rules(address, channel, router, tools) -> None:
    async with peers(address, router, tools):
        assert [event async for event in GrpcModelClient(channel).stream(ChatRequest("a/b", QUESTION.messages), 5)]
    assert router.requests[0].routing == router_pb2.RoutingOptions()
    assert not router.requests[0].routing.HasField("max_cost_micro_usd")


async def test_leaving_a_chat_stops_the_call(address, channel, router, tools) -> None:
    async with peers(address, router, tools):
        request = ChatRequest("hangs/here", QUESTION.messages)
        async with aclosing(GrpcModelClient(channel).stream(request, 30)) as events:
            async for event in events:
                if isinstance(event, ChatText):
                    break
        await asyncio.wait_for(router.left.wait(), 5)


async def test_a_peer_that_is_coming_back_is_waited_for(address, channel, router, tools) -> None:
    chat = asyncio.create_task(_texts(GrpcModelClient(channel)))
    embedding = asyncio.create_task(GrpcEmbedder(channel).embed(["ab"]))
    await asyncio.sleep(0.3)
    async with peers(address, router, tools):
        assert await asyncio.wait_for(chat, 5) == ["Hi"]
        assert await asyncio.wait_for(embedding, 5) == [(2.0, 0.5)]


async def _texts(client: GrpcModelClient) -> list[str]:
    return [event.text async for event in client.stream(QUESTION, 5) if isinstance(event, ChatText)]


async def test_a_peer_that_does_not_come_back_is_an_error(channel, monkeypatch) -> None:
    monkeypatch.setattr(connection_patience, "PATIENCE_S", 0.1)
    with pytest.raises(UpstreamDown):
        await _texts(GrpcModelClient(channel))
    with pytest.raises(UpstreamDown):
        await GrpcToolRunner(channel).run(ToolRequest("t", "{}", "k", 5.0, ""))
    for read in (
        GrpcModelCatalog(channel).catalogue,
        partial(GrpcToolCatalog(channel).tools, ANYWHERE),
        GrpcAgentConfig(channel).agent_config,
    ):
        with acting_as(principal()), pytest.raises(UpstreamDown):
            await read()


async def test_catalogs_and_configuration_are_read(address, channel, router, tools) -> None:
    async with peers(address, router, tools):
        catalogue = await GrpcModelCatalog(channel).catalogue()
        known = await GrpcToolCatalog(channel).tools(ANYWHERE)
        with acting_as(principal()):
            config = await GrpcAgentConfig(channel).agent_config()
    assert catalogue == Catalogue(
        (
            ModelInfo(
                "a/b",
                chat=True,
                embeddings=False,
                tool_calling=True,
                context_length=9,
                demonstration=True,
                free=True,
            ),
        ),
        (
            "The newest configuration is not in force: limits.yaml line 3: no such scope.",
            "c cannot be used. It has no key.",
        ),
    )
    assert known == (Tool("first", "", "", 5.0, ("e",)), Tool("second", "", "", 5.0, ("e",)))
    assert config == AgentConfig("a/b", 3, 16, 120.0, "Europe/Berlin")


async def test_a_tool_is_called_with_its_key_and_its_result_is_data(address, channel, router, tools) -> None:
    async with peers(address, router, tools):
        runner = GrpcToolRunner(channel)
        origin = Origin("conversation-1", "run-1", "clerk", "telegram")
        good = await runner.run(ToolRequest("good", '{"x":1}', "run:1:c", 2.5, "Europe/Berlin", origin))
        bad = await runner.run(ToolRequest("bad", "{}", "run:1:d", 2.5, ""))
    # The executor must have the time to say that a tool took too long.
    assert [2.0 < left_s - 2.5 <= 3.0 for left_s in tools.left_s] == [True, True]
    assert good == ToolOutcome(ok=True, output_json='{"a":1}', summary="s", duration_ms=12)
    assert bad == ToolOutcome(ok=False, output_json="", summary="s", error_reason="BROKEN", duration_ms=12)
    sent = tools.requests[0]
    assert (sent.request_id, sent.time_zone, sent.timeout.ToTimedelta().total_seconds()) == (
        "run:1:c",
        "Europe/Berlin",
        2.5,
    )
    assert (sent.agent, sent.channel, sent.conversation_id, sent.run_id) == (
        "clerk",
        "telegram",
        "conversation-1",
        "run-1",
    )


async def test_the_tools_of_an_agent_and_a_channel_are_asked_for_and_searched(address, channel, router, tools) -> None:
    origin = Origin("conversation-1", "run-1", "clerk", "telegram")
    async with peers(address, router, tools):
        catalog = GrpcToolCatalog(channel)
        await catalog.tools(origin)
        found = await catalog.fitting(origin, "What is the time? " * 1000, 16)
    assert [tool.name for tool in found] == ["best"]
    assert {(request.agent, request.channel) for request in tools.requests} == {("clerk", "telegram")}
    search = tools.requests[-1]
    assert (search.limit, len(search.query)) == (16, 4096)


async def test_many_texts_are_embedded_in_several_calls(address, channel, router, tools) -> None:
    async with peers(address, router, tools):
        routing = Routing(data_class=DataClass.RESTRICTED, residency=("eu",))
        vectors = await GrpcEmbedder(channel).embed([str(number) for number in range(300)], routing)
    assert len(vectors) == 300
    assert [len(request.inputs) for request in router.requests] == [256, 44]
    assert {request.data_class for request in router.requests} == {contract_pb2.DATA_CLASS_RESTRICTED}
    assert [list(request.residency) for request in router.requests] == [["eu"], ["eu"]]
