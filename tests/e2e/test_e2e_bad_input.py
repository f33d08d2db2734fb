"""Bad input gets a precise typed error and leaves the mesh serving."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from protos.gen.nexus.agent.v1 import agent_pb2, conversation_pb2, conversation_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.auth.mesh_token import MeshTokens
from shared.auth.principal import Principal
from shared.clock import SystemClock
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

QUERY = "/nexus.agent.v1.AgentService/QueryAgent"


def reason_of(error: grpc.aio.AioRpcError) -> str:
    """The reason of the ErrorInfo detail; empty where there is none."""
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        if detail.Unpack(info):
            return info.reason
    return ""


async def raw_query(mesh: RunningMesh, message: bytes) -> bytes:
    metadata = (("authorization", f"Bearer {mesh.owner_key()}"),)
    options = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(mesh.address("orchestrator"), options=options) as channel:
        return await channel.unary_unary(QUERY)(message, metadata=metadata, timeout=30)


def string_field(number: int, value: bytes) -> bytes:
    """One length-delimited protobuf field."""
    length, size = b"", len(value)
    while size >= 0x80:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + value


@pytest.fixture
async def agent(mesh: RunningMesh) -> AsyncIterator[AgentClient]:
    async with AgentClient(mesh) as client:
        yield client


@pytest.fixture
def stranger(mesh: RunningMesh) -> str:
    """The credential of an owner of another organisation."""
    tokens = MeshTokens.from_file(mesh.data / "secrets" / "mesh.key", SystemClock())
    return tokens.mint(Principal("org-stranger", "eve", frozenset({"owner"}), frozenset({"*"})), "test")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        string_field(1, b""),
        string_field(1, b"\xff\xfe\xfd"),
        string_field(1, b"a" * (1024 * 1024 + 1)),
        string_field(1, b"hello") + string_field(5, b"i" * 65),
        b"\x0a\xff\xff\xff\xff\x0f",
    ],
    ids=["nothing", "empty", "not-utf8", "too-long", "long-request-id", "not-protobuf"],
)
async def test_a_bad_question_is_an_invalid_argument(mesh: RunningMesh, message: bytes) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await raw_query(mesh, message)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT, refused.value.details()
    assert reason_of(refused.value)


async def test_a_message_beyond_every_limit_is_refused(mesh: RunningMesh) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await raw_query(mesh, string_field(1, b"a" * 20_000_000))
    assert refused.value.code() in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.INVALID_ARGUMENT)


async def test_the_largest_question_is_taken(mesh: RunningMesh, scripted_model: str) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query("a" * 1024 * 1024, model=scripted_model)
    assert run.status in (agent_pb2.RUN_STATUS_COMPLETED, agent_pb2.RUN_STATUS_FAILED)
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED or run.failure.reason


async def test_unknown_fields_on_the_wire_do_no_harm(mesh: RunningMesh, scripted_model: str) -> None:
    message = string_field(1, b"Hello") + string_field(3, scripted_model.encode()) + string_field(15, b"?")
    reply = agent_pb2.QueryAgentResponse.FromString(await raw_query(mesh, message))
    assert reply.run.status == agent_pb2.RUN_STATUS_COMPLETED


@pytest.mark.parametrize("model", ["nobody/nothing", "local/nothing", "no-slash"])
async def test_an_unknown_model_is_named(agent: AgentClient, model: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await agent.query("Hello", model=model)
    assert refused.value.code() in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
    assert reason_of(refused.value) == "MODEL_UNKNOWN"
    assert model in refused.value.details()


async def test_an_unknown_conversation_is_not_found(agent: AgentClient) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await agent.query("Hello", conversation_id="0198c0de-0000-7000-8000-000000000000")
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("method", "request_type"),
    [("GetRun", "GetRunRequest"), ("WatchRun", "WatchRunRequest"), ("CancelRun", "CancelRunRequest")],
)
async def test_a_stranger_finds_no_run(
    mesh: RunningMesh, scripted_model: str, stranger: str, method: str, request_type: str
) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query("Hello", model=scripted_model)
    async with AgentClient(mesh, stranger) as eve:
        call = getattr(eve.stub, method)(getattr(agent_pb2, request_type)(run_id=run.run_id), timeout=10)
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await (call.read() if method == "WatchRun" else call)
        assert await eve.runs() == []
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_stranger_finds_no_conversation(mesh: RunningMesh, scripted_model: str, stranger: str) -> None:
    async with AgentClient(mesh) as agent:
        run = await agent.query("Hello", model=scripted_model)
    async with AgentClient(mesh, stranger) as eve:
        with pytest.raises(grpc.aio.AioRpcError) as continued:
            await eve.query("Hello", conversation_id=run.conversation_id)
    channel = mesh.channel("orchestrator", stranger)
    stub = conversation_pb2_grpc.ConversationServiceStub(channel)
    try:
        for name in ("Get", "Delete"):
            request = getattr(conversation_pb2, f"{name}ConversationRequest")(conversation_id=run.conversation_id)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await getattr(stub, f"{name}Conversation")(request, timeout=10)
            assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    finally:
        await channel.close()
    assert continued.value.code() == grpc.StatusCode.NOT_FOUND


async def test_a_viewer_may_not_ask(mesh: RunningMesh) -> None:
    tokens = MeshTokens.from_file(mesh.data / "secrets" / "mesh.key", SystemClock())
    viewer = Principal("org-x", "victor", frozenset({"viewer"}), frozenset({"runs.read"}))
    async with AgentClient(mesh, tokens.mint(viewer, "test")) as agent:
        assert await agent.runs() == []
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await agent.query("Hello")
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("arguments", ["", "[1]", "{", '{"expression": 5}', '{"expression": "1+"}', "\x00"])
async def test_bad_tool_arguments_are_an_outcome_and_not_a_crash(mesh: RunningMesh, arguments: str) -> None:
    channel = mesh.channel("tools")
    try:
        stub = tools_pb2_grpc.ToolServiceStub(channel)
        request = tools_pb2.ExecuteToolRequest(name="calculator", arguments_json=arguments)
        reply = await stub.ExecuteTool(request, timeout=20)
    finally:
        await channel.close()
    assert reply.result.status in (tools_pb2.TOOL_STATUS_INVALID_ARGUMENTS, tools_pb2.TOOL_STATUS_ERROR)
    assert reply.result.error_reason
    assert reply.result.summary
