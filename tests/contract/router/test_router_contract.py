from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import grpc
import pytest
from router_fakes import FakeCatalog, FakeChatModel, FakeEmbeddingModel, FakeModelSource, catalog_of, model_spec

from protos.gen.nexus.router.v1 import router_pb2 as pb
from protos.gen.nexus.router.v1 import router_pb2_grpc
from provider_router.adapters.provider_observations_memory import MemoryProviderObservations
from provider_router.domain.chat import FinishReason
from provider_router.domain.errors import Reason, failure
from provider_router.domain.events import Finished, TextDelta, ToolCallDelta
from provider_router.domain.provider_health import Observation
from provider_router.domain.usage import Prices
from provider_router.servicer.router_servicer import RouterServicer, RouterUseCases
from provider_router.use_cases.complete_chat import CompleteChat
from provider_router.use_cases.embed_texts import EmbedTexts
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders
from provider_router.use_cases.stream_chat import StreamChat
from shared.client import translated_errors
from shared.errors import Forbidden, InvalidInput, NexusError, PreconditionFailed, Unauthenticated, UpstreamDown
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import Served, principal, serving

CHAT = model_spec("one/chat", prices=Prices(1_000_000, 2_000_000), context_length=4096, demonstration=True)
TOOLS = model_spec("two/tools", tool_calling=True)
EMBED = model_spec("one/embed", chat=False, embeddings=True)
USER = pb.ChatMessage(role=pb.ROLE_USER, content=[pb.ContentPart(text="Hi "), pb.ContentPart(text="there")])
REASONS = [reason for reason in Reason if reason not in (Reason.ALL_MODELS_FAILED, Reason.STREAM_BROKEN)]


class Router:
    """A served router over fake ports."""

    def __init__(self) -> None:
        self.chat = FakeChatModel()
        self.tools = FakeChatModel()
        self.embed = FakeEmbeddingModel()
        self.catalog = FakeCatalog(catalog_of(CHAT, TOOLS, EMBED, embed="one/embed"), "abc", "line 3: wrong")
        self.observations = MemoryProviderObservations()
        self.source = FakeModelSource({"one/chat": self.chat, "two/tools": self.tools}, {"one/embed": self.embed})

    def service(self) -> Service:
        stream = StreamChat(self.catalog, self.source, FakeClock())
        use_cases = RouterUseCases(
            CompleteChat(stream),
            stream,
            EmbedTexts(self.catalog, self.source),
            ListModels(self.catalog),
            ListProviders(self.catalog, self.source, self.observations),
        )
        add = router_pb2_grpc.add_RouterServiceServicer_to_server
        descriptor = pb.DESCRIPTOR.services_by_name["RouterService"]
        return Service("router", [Registration(add, RouterServicer(use_cases), descriptor)])

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[tuple[router_pb2_grpc.RouterServiceStub, Served], None]:
        async with serving(self.service()) as served:
            yield router_pb2_grpc.RouterServiceStub(served.channel), served


@pytest.fixture
def router() -> Router:
    return Router()


def chat(model: str = "", **fields: object) -> pb.ChatCompletionRequest:
    return pb.ChatCompletionRequest(**{"model": model, "messages": [USER], **fields})


async def unary(stub: router_pb2_grpc.RouterServiceStub, request: pb.ChatCompletionRequest) -> object:
    async with translated_errors("router"):
        return await stub.ChatCompletion(request, timeout=5)


async def stream(stub: router_pb2_grpc.RouterServiceStub, request: pb.ChatCompletionRequest) -> list:
    async with translated_errors("router"):
        call = stub.StreamChatCompletion(pb.StreamChatCompletionRequest(request=request), timeout=5)
        return [event async for event in call]


async def embed(stub: router_pb2_grpc.RouterServiceStub, model: str = "", inputs: tuple[str, ...] = ("a",)) -> object:
    async with translated_errors("router"):
        return await stub.Embed(pb.EmbedRequest(model=model, inputs=inputs), timeout=5)


BOTH = pytest.mark.parametrize("call", [unary, stream])
Call = Callable[[router_pb2_grpc.RouterServiceStub, pb.ChatCompletionRequest], Awaitable]


async def test_a_whole_answer(router: Router) -> None:
    async with router.served() as (stub, _):
        answer = await unary(stub, chat())
    assert answer == pb.ChatCompletionResponse(
        model="one/chat",
        message=pb.ChatMessage(role=pb.ROLE_ASSISTANT, content=[pb.ContentPart(text="Hello")]),
        finish_reason=pb.FINISH_REASON_STOP,
        usage=pb.TokenUsage(input_tokens=10, output_tokens=2),
        cost_micro_usd=14,
        demonstration=True,
    )
    assert router.chat.asked[0].messages[0].text == "Hi there"


async def test_a_streamed_answer_with_a_failed_attempt(router: Router) -> None:
    router.chat.events = [failure(Reason.PROVIDER_TIMEOUT, "Slow.")]
    router.tools.events = [
        TextDelta("x"),
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(0, "", "", "{}"),
        Finished(FinishReason.TOOL_CALLS, None),
    ]
    async with router.served() as (stub, _):
        started, *middle, completed = await stream(stub, chat())
    assert started.started.model == "two/tools"
    assert [(a.model, a.reason) for a in started.started.attempts] == [("one/chat", "PROVIDER_TIMEOUT")]
    assert [event.WhichOneof("event") for event in middle] == ["text_delta", "tool_call_delta", "tool_call_delta"]
    assert middle[1].tool_call_delta == pb.ToolCallDelta(index=0, id="a", name="add")
    assert completed.completed.finish_reason == pb.FINISH_REASON_TOOL_CALLS
    assert not completed.completed.HasField("usage")


async def test_every_field_of_a_chat_arrives(router: Router) -> None:
    call = pb.ToolCall(id="a", name="add", arguments_json='{"x":1}')
    request = chat(
        "two/tools",
        messages=[
            pb.ChatMessage(role=pb.ROLE_SYSTEM, content=[pb.ContentPart(text="Be brief.")]),
            USER,
            pb.ChatMessage(role=pb.ROLE_ASSISTANT, tool_calls=[call]),
            pb.ChatMessage(role=pb.ROLE_TOOL, tool_call_id="a", content=[pb.ContentPart(text="2")]),
        ],
        tools=[
            pb.ToolDefinition(name="add", description="Adds.", parameters_json_schema='{"type":"object"}'),
            pb.ToolDefinition(name="now"),
        ],
        response_json_schema='{"type":"string"}',
        temperature=0.0,
        max_output_tokens=7,
        stop=["END"],
    )
    async with router.served() as (stub, _):
        await unary(stub, request)
    asked = router.tools.asked[0]
    assert [message.role.value for message in asked.messages] == ["system", "user", "assistant", "tool"]
    assert asked.messages[2].tool_calls[0].arguments_json == '{"x":1}'
    assert asked.messages[3].tool_call_id == "a"
    assert [dict(tool.parameters)["type"] for tool in asked.tools] == ["object", "object"]
    assert asked.response_schema == {"type": "string"}
    assert (asked.temperature, asked.max_output_tokens, asked.stop) == (0.0, 7, ("END",))


async def test_what_is_not_set_stays_unset(router: Router) -> None:
    async with router.served() as (stub, _):
        await unary(stub, chat())
    asked = router.chat.asked[0]
    assert (asked.temperature, asked.max_output_tokens, asked.response_schema, asked.tools) == (None, None, None, ())


@BOTH
@pytest.mark.parametrize("reason", REASONS)
async def test_every_reason_of_a_named_model_reaches_the_caller(router: Router, call: Call, reason: Reason) -> None:
    given = failure(reason, "For people.", metadata={"provider": "one"}, retry_after_s=3.0)
    router.chat.events = [given]
    async with router.served() as (stub, _):
        with pytest.raises(type(given)) as caught:
            await call(stub, chat("one/chat"))
    assert (caught.value.reason, caught.value.message) == (reason.value, "For people.")
    assert caught.value.retry_after_s == 3.0
    assert caught.value.metadata["provider"] == "one"


@BOTH
async def test_a_chain_that_fails_whole(router: Router, call: Call) -> None:
    router.chat.events = [failure(Reason.PROVIDER_ERROR, "x")]
    router.tools.events = [failure(Reason.PROVIDER_UNREACHABLE, "x")]
    async with router.served() as (stub, _):
        with pytest.raises(UpstreamDown) as caught:
            await call(stub, chat())
    assert caught.value.reason == "ALL_MODELS_FAILED"
    assert caught.value.metadata["one/chat"] == "PROVIDER_ERROR"
    assert caught.value.metadata["two/tools"] == "PROVIDER_UNREACHABLE"


@BOTH
async def test_a_stream_that_breaks(router: Router, call: Call) -> None:
    router.chat.events = [TextDelta("x"), failure(Reason.PROVIDER_TIMEOUT, "x")]
    async with router.served() as (stub, _):
        with pytest.raises(UpstreamDown) as caught:
            await call(stub, chat())
    assert caught.value.reason == "STREAM_BROKEN"
    assert caught.value.metadata["cause"] == "PROVIDER_TIMEOUT"


@BOTH
@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (chat("one/nope"), "MODEL_UNKNOWN"),
        (chat("one/embed"), "UNSUPPORTED_CAPABILITY"),
        (chat("one/chat", tools=[pb.ToolDefinition(name="t")]), "UNSUPPORTED_CAPABILITY"),
        (chat(response_json_schema="{"), "INVALID_SCHEMA"),
        (chat(tools=[pb.ToolDefinition(name="t", parameters_json_schema="[]")]), "INVALID_SCHEMA"),
        (chat(messages=[pb.ChatMessage(role=pb.ROLE_USER)]), "INVALID_MESSAGES"),
        (chat(messages=[]), "REQUEST_INVALID"),
        (chat(messages=[pb.ChatMessage()]), "REQUEST_INVALID"),
        (chat(temperature=3), "REQUEST_INVALID"),
        (chat(stop=["x"] * 5), "REQUEST_INVALID"),
        (chat("x" * 300), "REQUEST_INVALID"),
        (chat(tools=[pb.ToolDefinition(name="")]), "REQUEST_INVALID"),
    ],
)
async def test_wrong_requests(router: Router, call: Call, request_: pb.ChatCompletionRequest, reason: str) -> None:
    async with router.served() as (stub, _):
        with pytest.raises(InvalidInput) as caught:
            await call(stub, request_)
    assert caught.value.reason == reason
    assert router.chat.asked == []


async def test_a_stream_needs_its_request(router: Router) -> None:
    async with router.served() as (stub, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [event async for event in stub.StreamChatCompletion(pb.StreamChatCompletionRequest(), timeout=5)]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@BOTH
async def test_nothing_configured(router: Router, call: Call) -> None:
    router.catalog = FakeCatalog(catalog_of())
    async with router.served() as (stub, _):
        with pytest.raises(PreconditionFailed) as caught:
            await call(stub, chat())
        assert caught.value.reason == "NO_MODEL_CONFIGURED"
        with pytest.raises(PreconditionFailed) as caught:
            await embed(stub)
        assert caught.value.reason == "NO_MODEL_CONFIGURED"


async def test_cancelling_a_stream_leaves_the_model_at_once(router: Router) -> None:
    router.chat.events = [TextDelta("x"), ...]
    async with router.served() as (stub, _):
        call = stub.StreamChatCompletion(pb.StreamChatCompletionRequest(request=chat()), timeout=30)
        await call.read()
        assert router.chat.open_streams == 1
        call.cancel()
        async with asyncio.timeout(1):
            while router.chat.open_streams:
                await asyncio.sleep(0.01)


async def test_cancelling_a_unary_call_leaves_the_model_at_once(router: Router) -> None:
    router.chat.events = [TextDelta("x"), ...]
    async with router.served() as (stub, _):
        call = stub.ChatCompletion(chat(), timeout=30)
        async with asyncio.timeout(1):
            while not router.chat.open_streams:
                await asyncio.sleep(0.01)
            call.cancel()
            while router.chat.open_streams:
                await asyncio.sleep(0.01)


async def test_a_deadline_of_the_caller_leaves_the_model(router: Router) -> None:
    router.chat.events = [...]
    async with router.served() as (stub, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.ChatCompletion(chat(), timeout=0.1)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(1):
            while router.chat.open_streams:
                await asyncio.sleep(0.01)


async def test_vectors(router: Router) -> None:
    async with router.served() as (stub, _):
        response = await embed(stub, inputs=("a", "b", "c"))
    assert response.model == "one/embed"
    assert [list(e.values) for e in response.embeddings] == [pytest.approx([0.6, 0.8])] * 3
    assert response.usage.input_tokens == 3


@pytest.mark.parametrize("reason", REASONS)
async def test_every_reason_of_an_embedding_model_reaches_the_caller(router: Router, reason: Reason) -> None:
    router.embed.error = failure(reason, "For people.")
    async with router.served() as (stub, _):
        with pytest.raises(type(router.embed.error)) as caught:
            await embed(stub)
    assert caught.value.reason == reason.value


@pytest.mark.parametrize(
    ("model", "inputs", "reason"),
    [
        ("one/nope", ("a",), "MODEL_UNKNOWN"),
        ("one/chat", ("a",), "UNSUPPORTED_CAPABILITY"),
        ("", (), "REQUEST_INVALID"),
        ("", ("",), "REQUEST_INVALID"),
        ("", ("a",) * 257, "REQUEST_INVALID"),
        ("", ("x" * 70_000,), "REQUEST_INVALID"),
    ],
)
async def test_wrong_embeddings(router: Router, model: str, inputs: tuple[str, ...], reason: str) -> None:
    async with router.served() as (stub, _):
        with pytest.raises(InvalidInput) as caught:
            await embed(stub, model, inputs)
    assert caught.value.reason == reason


async def test_models_are_listed(router: Router) -> None:
    async with router.served() as (stub, _):
        models = (await stub.ListModels(pb.ListModelsRequest(), timeout=5)).models
    assert [model.name for model in models] == ["one/chat", "two/tools", "one/embed"]
    assert models[0] == pb.Model(
        name="one/chat",
        provider="one",
        chat=True,
        context_length=4096,
        input_micro_usd_per_million=1_000_000,
        output_micro_usd_per_million=2_000_000,
        demonstration=True,
    )
    assert models[1].tool_calling
    assert models[2].embeddings


async def test_providers_are_listed_with_what_was_seen(router: Router) -> None:
    now = datetime(2026, 11, 20, 12, tzinfo=UTC)
    router.observations.record("one", Observation(now, "PROVIDER_TIMEOUT"))
    async with router.served() as (stub, _):
        response = await stub.ListProviders(pb.ListProvidersRequest(), timeout=5)
    assert (response.config_version, response.config_error) == ("abc", "line 3: wrong")
    one, two = response.providers
    assert (one.name, one.type, one.base_url) == ("one", "openai_compatible", "http://one.test/v1")
    assert (one.state, one.last_error_reason) == (pb.PROVIDER_STATE_FAILING, "PROVIDER_TIMEOUT")
    assert one.last_call_time.ToDatetime(UTC) == now
    assert list(one.models) == ["one/chat", "one/embed"]
    assert two.state == pb.PROVIDER_STATE_UNKNOWN
    assert not two.HasField("last_call_time")


async def test_a_provider_without_its_key_says_so(router: Router) -> None:
    router.source = FakeModelSource()
    async with router.served() as (stub, _):
        response = await stub.ListProviders(pb.ListProvidersRequest(), timeout=5)
    assert {p.state for p in response.providers} == {pb.PROVIDER_STATE_NOT_CONFIGURED}


CALLS = {
    "ChatCompletion": ("models.use", lambda stub: unary(stub, chat())),
    "StreamChatCompletion": ("models.use", lambda stub: stream(stub, chat())),
    "Embed": ("models.use", embed),
    "ListModels": ("models.read", lambda stub: stub.ListModels(pb.ListModelsRequest(), timeout=5)),
    "ListProviders": ("providers.read", lambda stub: stub.ListProviders(pb.ListProvidersRequest(), timeout=5)),
}


@pytest.mark.parametrize("rpc", CALLS)
async def test_strangers_and_people_without_the_permission_are_refused(router: Router, rpc: str) -> None:
    permission, call = CALLS[rpc]
    refused: list[tuple[object, type[NexusError]]] = [
        (None, Unauthenticated),
        (principal(permissions=("runs.read",)), Forbidden),
    ]
    async with router.served() as (_, served):
        for who, error in refused:
            stub = router_pb2_grpc.RouterServiceStub(served.channel_as(who))
            with pytest.raises(error):
                async with translated_errors("router"):
                    await call(stub)
        allowed = router_pb2_grpc.RouterServiceStub(served.channel_as(principal(permissions=(permission,))))
        assert await call(allowed) is not None
