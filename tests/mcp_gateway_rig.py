"""The MCP server over HTTP in the process of the test, the services behind it played, and the official client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from gateway.mcp_server.main import build
from gateway.mcp_server.servicer.edge import McpEdge
from gateway.mcp_server.settings import Settings
from protos.gen.nexus.agent.v1 import agent_pb2, agent_pb2_grpc
from protos.gen.nexus.artifacts.v1 import artifacts_pb2, artifacts_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.auth.context import current_principal
from shared.client.channel import open_channel
from shared.clock import SystemClock
from shared.errors import Forbidden, NotFound
from shared.ids import new_id
from shared.server import Dependencies, Registration, Service
from shared.testing.fakes import FakeKeyDirectory
from shared.testing.harness import principal, serving

OWNER, OTHER, VIEWER = "nxk_owner-key", "nxk_other-key", "nxk_viewer-key"
PRINCIPALS = {
    OWNER: principal(key_id="k-owner"),
    OTHER: principal(org_id="org-b", user_id="user-2", key_id="k-other"),
    VIEWER: principal(user_id="user-3", roles=("viewer",), permissions=("tools.read",), key_id="k-viewer"),
}
PICTURE = b"\x89PNG\r\n" + bytes(range(256))
TEXT_ID, PICTURE_ID = "01990000-0000-7000-8000-000000000001", "01990000-0000-7000-8000-000000000002"
RUN_ID, CONVERSATION_ID = "run-1", "conversation-1"

VERSION = "2025-11-25"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 0,
    "method": "initialize",
    "params": {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def tool(name: str, effect: Any = tools_pb2.SIDE_EFFECT_READ, **changes: Any) -> tools_pb2.Tool:
    """Return a tool that takes any object."""
    schema = json.dumps({"type": "object", "properties": {"text": {"type": "string"}}})
    fields: dict[str, Any] = {
        "description": f"Does {name}.",
        "enabled": True,
        "allowed": True,
        "input_json_schema": schema,
        "output_json_schema": schema,
    }
    return tools_pb2.Tool(name=name, side_effect=effect, **(fields | changes))


class Tools(tools_pb2_grpc.ToolServiceServicer):
    """Plays the tool executor: says `echo`, and what the test scripts."""

    def __init__(self) -> None:
        self.tools = [
            tool("echo"),
            tool("send_mail", tools_pb2.SIDE_EFFECT_EXTERNAL),
            tool("off", enabled=False),
            tool("blocked", allowed=False),
        ]
        self.calls: list[tools_pb2.ExecuteToolRequest] = []
        self.callers: list[str] = []
        self.looks = 0
        self.results: dict[str, tools_pb2.ToolResult] = {}
        self.started = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def ListTools(self, request: Any, context: Any) -> tools_pb2.ListToolsResponse:
        assert request.channel == "mcp"
        self.looks += 1
        first = self.tools[:2] if len(self.tools) > 4 and not request.page_token else self.tools
        rest = self.tools[2:] if request.page_token else first
        return tools_pb2.ListToolsResponse(
            tools=rest, next_page_token="2" if rest is first and first != self.tools else ""
        )

    async def ExecuteTool(self, request: Any, context: Any) -> tools_pb2.ExecuteToolResponse:
        self.calls.append(request)
        self.callers.append(current_principal().user_id)
        if request.name == "blocked":
            raise Forbidden("TOOL_BLOCKED", "The policy no-mail blocks this.")
        if request.name not in {each.name for each in self.tools}:
            raise NotFound("TOOL_UNKNOWN", "There is no such tool.")
        arguments = json.loads(request.arguments_json)
        if arguments.get("text") == "hang":
            self.started.set()
            try:
                await asyncio.Event().wait()
            finally:
                self.cancelled.set()
        said = tools_pb2.ToolResult(status=tools_pb2.TOOL_STATUS_OK, output_json=request.arguments_json, summary="said")
        return tools_pb2.ExecuteToolResponse(result=self.results.get(request.name, said))


class Agent(agent_pb2_grpc.AgentServiceServicer):
    """Plays the orchestrator: answers, or waits where the question says so."""

    def __init__(self) -> None:
        self.queries: list[agent_pb2.QueryAgentRequest] = []
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()
        self.started = asyncio.Event()

    async def StreamQuery(self, request: Any, context: Any) -> AsyncGenerator[agent_pb2.StreamQueryResponse, None]:
        query = request.query
        self.queries.append(query)
        self.started.set()
        if query.question == "silent" and len(self.queries) == 1:
            await asyncio.Event().wait()
        yield _event(run_started=agent_pb2.RunStarted(conversation_id=CONVERSATION_ID, question=query.question))
        if query.question == "wait":
            await asyncio.Event().wait()
        if query.question == "fail":
            failure = agent_pb2.RunFailure(reason="MODEL_DOWN", message="No model answers.")
            yield _event(run_failed=agent_pb2.RunFailed(failure=failure))
            return
        yield _event(warning=agent_pb2.Warning(code="OFFLINE_MODEL", message="It is small."))
        yield _event(tool_call_started=agent_pb2.ToolCallStarted(tool="calculator", arguments_json='{"a":1}'))
        yield _event(tool_call_finished=agent_pb2.ToolCallFinished(tool="calculator", ok=True, summary="403"))
        for text in ("It is ", "403", "."):
            yield _event(token_delta=agent_pb2.TokenDelta(text=text))
        yield _event(run_finished=agent_pb2.RunFinished(answer="It is 403."))

    async def CancelRun(self, request: Any, context: Any) -> agent_pb2.CancelRunResponse:
        self.cancelled.put_nowait(request.run_id)
        return agent_pb2.CancelRunResponse()


class Artifacts(artifacts_pb2_grpc.ArtifactServiceServicer):
    """Plays the store of artifacts: a text and a picture."""

    def __init__(self) -> None:
        self.kept = {
            TEXT_ID: ("notes.txt", "text/plain", "grüße".encode()),
            PICTURE_ID: ("plot.png", "image/png", PICTURE),
        }

    async def ListArtifacts(self, request: Any, context: Any) -> artifacts_pb2.ListArtifactsResponse:
        return artifacts_pb2.ListArtifactsResponse(artifacts=[self._artifact(each) for each in reversed(self.kept)])

    async def GetArtifact(self, request: Any, context: Any) -> artifacts_pb2.GetArtifactResponse:
        return artifacts_pb2.GetArtifactResponse(artifact=self._artifact(request.artifact_id))

    async def ReadArtifact(self, request: Any, context: Any) -> artifacts_pb2.ReadArtifactResponse:
        # In small pieces, so that readers have to ask again.
        data = self.kept[request.artifact_id][2][request.offset : request.offset + 100]
        return artifacts_pb2.ReadArtifactResponse(data=data)

    def _artifact(self, artifact_id: str) -> artifacts_pb2.Artifact:
        if artifact_id not in self.kept:
            raise NotFound("ARTIFACT_UNKNOWN", "There is no such artifact.")
        name, media_type, data = self.kept[artifact_id]
        return artifacts_pb2.Artifact(artifact_id=artifact_id, name=name, media_type=media_type, size_bytes=len(data))


def _event(**payload: Any) -> agent_pb2.StreamQueryResponse:
    return agent_pb2.StreamQueryResponse(event=agent_pb2.RunEvent(run_id=RUN_ID, **payload))


@dataclass
class McpGateway:
    """An MCP server that serves.

    Attributes:
        url: Of the endpoint.
        keys: API keys that work.
    """

    url: str
    keys: FakeKeyDirectory
    edge: McpEdge
    tools: Tools = field(default_factory=Tools)
    agent: Agent = field(default_factory=Agent)
    artifacts: Artifacts = field(default_factory=Artifacts)

    @asynccontextmanager
    async def client(self, key: str = OWNER, **options: Any) -> AsyncGenerator[Client, None]:
        """The official client, by default of the newest version, which knows no sessions."""
        async with (
            httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=30) as http,
            Client(streamable_http_client(self.url, http_client=http), **({"mode": "auto"} | options)) as client,
        ):
            yield client

    @asynccontextmanager
    async def raw(self, key: str = OWNER) -> AsyncGenerator[httpx2.AsyncClient, None]:
        """A plain HTTP client that sends what every MCP client must."""
        headers = {
            "Authorization": f"Bearer {key}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
        }
        async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
            yield http


async def begun(http: httpx2.AsyncClient, url: str) -> dict[str, str]:
    """Begin a session and return the headers of its requests."""
    reply = await http.post(url, json=INITIALIZE)
    assert reply.status_code == 200
    headers = {"mcp-session-id": reply.headers["mcp-session-id"], "mcp-protocol-version": VERSION}
    assert (await http.post(url, json=INITIALIZED, headers=headers)).status_code == 202
    return headers


@asynccontextmanager
async def mcp_gateway(**settings: Any) -> AsyncGenerator[McpGateway, None]:
    """The MCP server on a free port of the loopback, over services that are played."""
    tools, agent, artifacts = Tools(), Agent(), Artifacts()
    played = Service(
        name="played",
        registrations=[
            Registration(
                tools_pb2_grpc.add_ToolServiceServicer_to_server,
                tools,
                tools_pb2.DESCRIPTOR.services_by_name["ToolService"],
            ),
            Registration(
                agent_pb2_grpc.add_AgentServiceServicer_to_server,
                agent,
                agent_pb2.DESCRIPTOR.services_by_name["AgentService"],
            ),
            Registration(
                artifacts_pb2_grpc.add_ArtifactServiceServicer_to_server,
                artifacts,
                artifacts_pb2.DESCRIPTOR.services_by_name["ArtifactService"],
            ),
        ],
    )
    async with serving(played) as peers:

        def channel(_address: str) -> grpc.aio.Channel:
            return open_channel(peers.address, lambda who: peers.tokens.mint(who, "gateway") if who else None)

        chosen = Settings(**({"http_listen": "127.0.0.1:0", "lists_every_s": 0.02} | settings))
        service = build(chosen, Dependencies(SystemClock(), new_id, channel))
        async with serving(service) as served:
            served.keys.keys.update(PRINCIPALS)
            edge = service.edges[0]
            assert isinstance(edge, McpEdge)
            url = "http://{}:{}/mcp".format(*edge.address)
            yield McpGateway(url, served.keys, edge, tools, agent, artifacts)
