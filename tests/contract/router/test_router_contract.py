from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import grpc
import pytest
from router_answer_rig import FakeObserver
from router_decision_fakes import (
    FakeDecisionLog,
    FakeEstimator,
    FakeProblems,
    FakeRuleBook,
    FakeStateBoard,
    FakeTokenCounter,
    registry_of,
)
from router_fakes import (
    FakeChatModel,
    FakeDeployments,
    FakeEmbeddingModel,
    FakeModelSource,
    FakeRegistry,
    price_of,
    service_of,
)
from router_money_fakes import FakeLimitBook, MemoryLedger

from protos.gen.nexus.router.v1 import contract_pb2, router_pb2_grpc
from protos.gen.nexus.router.v1 import router_pb2 as pb
from provider_router.adapters.affinity_memory import MemoryAffinity
from provider_router.adapters.call_opener_stepwise import StepwiseCallOpener
from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import Finished, TextDelta, ToolCallDelta
from provider_router.domain.contracts.contract import DataClass, Guarantees, Privacy
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.domain.errors import Reason, failure
from provider_router.domain.traffic.retry_budget import RetryBudgets
from provider_router.servicer.router_servicer import RouterServicer, RouterUseCases
from provider_router.use_cases.admit_answers import AdmitAnswers
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.answer_chat import AnswerChat
from provider_router.use_cases.attempt_desk import AttemptDesk, Ports
from provider_router.use_cases.chat_run import Means
from provider_router.use_cases.complete_chat import CompleteChat
from provider_router.use_cases.decide_embedding import DecideEmbedding
from provider_router.use_cases.decide_route import DecideRoute
from provider_router.use_cases.embed_texts import EmbedMeans, EmbedTexts
from provider_router.use_cases.explain_route import ExplainRoute
from provider_router.use_cases.find_troubles import FindTroubles
from provider_router.use_cases.list_models import ListModels
from provider_router.use_cases.list_providers import ListProviders
from provider_router.use_cases.loose_ends import LooseEnds
from provider_router.use_cases.pace_retries import PaceRetries
from provider_router.use_cases.read_features import ReadFeatures
from provider_router.use_cases.see_world import SeeWorld
from shared.client import translated_errors
from shared.errors import Forbidden, InvalidInput, NexusError, PreconditionFailed, Unauthenticated, UpstreamDown
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock, SequenceIds
from shared.testing.harness import Served, principal, serving

CLEARED = Privacy(clearance=DataClass.INTERNAL)
CHAT = service_of(
    "one/chat",
    prices=price_of(1_000_000, 2_000_000),
    context_length=4096,
    max_output_tokens=1024,
    demonstration=True,
    privacy=CLEARED,
    guarantees=Guarantees(first_token_p50_ms=10, first_token_p95_ms=50),
)
TOOLS = service_of("two/tools", tool_calling=True, privacy=CLEARED)
EMBED = service_of("one/embed", chat=False, embeddings=True, privacy=CLEARED)
USER = pb.ChatMessage(role=pb.ROLE_USER, content=[pb.ContentPart(text="Hi "), pb.ContentPart(text="there")])
REASONS = [reason for reason in Reason if reason not in (Reason.ALL_MODELS_FAILED, Reason.STREAM_BROKEN)]


class Router:
    """A served router over fake ports; the decisions are real."""

    def __init__(self) -> None:
        self.chat = FakeChatModel()
        self.tools = FakeChatModel()
        self.embed = FakeEmbeddingModel()
        registry = registry_of(CHAT, TOOLS, EMBED)
        self.registry = FakeRegistry(replace(registry, embed_model="one/embed"), "abc")
        self.source = FakeModelSource({"one/chat": self.chat, "two/tools": self.tools}, {"one/embed": self.embed})
        self.ledger = MemoryLedger()
        self.clock = FakeClock()
        self.limiter = MemoryRateLimiter(self.clock)
        self.book = FakeLimitBook()

    def service(self) -> Service:
        clock, counter, affinity = self.clock, FakeTokenCounter(), MemoryAffinity()
        features = ReadFeatures(counter, FakeEstimator(), self.ledger, affinity)
        see_world, engine, log = (
            SeeWorld(self.registry, FakeRuleBook(), FakeStateBoard()),
            DecisionEngine(),
            FakeDecisionLog(),
        )
        explain = ExplainRoute(see_world, features, engine, clock)
        decide_embedding = DecideEmbedding(
            see_world, counter, self.ledger, engine, log, (clock, SequenceIds("embedding"))
        )
        deployments = FakeDeployments()
        opener = StepwiseCallOpener(log, self.limiter, self.ledger)
        ids = SequenceIds("attempt")
        desk = AttemptDesk(Ports(deployments, self.limiter, opener, self.ledger, FakeObserver(), clock, ids))
        retries = PaceRetries(RetryBudgets(), clock, lambda _: asyncio.sleep(0), lambda: 0.0)
        admit = AdmitCall(self.book, self.limiter)
        ends = LooseEnds()
        means = Means(desk, self.source, counter, retries, ends, "Go on.", CallLimits(60_000, 30_000, 300_000))
        embed_means = EmbedMeans(desk, self.source, counter, retries, ends, 60.0)
        decide = DecideRoute(explain, self.book, opener, SequenceIds("decision"))
        answers = AdmitAnswers(admit, AnswerChat(admit, decide, affinity, means))
        troubles = FindTroubles(self.registry, FakeProblems(), self.source, deployments)
        use_cases = RouterUseCases(
            CompleteChat(answers),
            answers,
            EmbedTexts(self.registry, admit, decide_embedding, embed_means),
            ListModels(self.registry, troubles, self.source, clock),
            ListProviders(self.registry, troubles, deployments),
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


async def embed(
    stub: router_pb2_grpc.RouterServiceStub, model: str = "", inputs: tuple[str, ...] = ("a",), **fields: object
) -> object:
    async with translated_errors("router"):
        return await stub.Embed(pb.EmbedRequest(model=model, inputs=inputs, **fields), timeout=5)


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
        decision_id="decision-0001",
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
    assert (asked.temperature, asked.response_schema, asked.tools) == (None, None, ())
    # What has a price is bounded by what was reserved for it.
    assert asked.max_output_tokens


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


def long_traits(values: int) -> pb.RoutingOptions:
    """Constraints of about 4 KiB for 16 values."""
    value = contract_pb2.TraitValue(string_value="v" * 250)
    constraint = contract_pb2.TraitConstraint(trait="t", comparison=contract_pb2.COMPARISON_IN, values=[value] * values)
    return pb.RoutingOptions(traits=[constraint])


@BOTH
async def test_constraints_on_traits_have_a_bound_since_each_record_holds_them(router: Router, call: Call) -> None:
    async with router.served() as (stub, _):
        with pytest.raises(InvalidInput) as caught:
            await call(stub, chat(routing=long_traits(64)))
        assert caught.value.reason == "REQUEST_INVALID"
        assert [each.field for each in caught.value.violations] == ["routing.traits"]
        assert "8192 bytes" in caught.value.message
        # What fits is decided over; no service here has that trait.
        with pytest.raises(PreconditionFailed):
            await call(stub, chat(routing=long_traits(16)))
    assert router.chat.asked == []


async def test_a_stream_needs_its_request(router: Router) -> None:
    async with router.served() as (stub, _):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            [event async for event in stub.StreamChatCompletion(pb.StreamChatCompletionRequest(), timeout=5)]
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@BOTH
async def test_nothing_configured(router: Router, call: Call) -> None:
    router.registry = FakeRegistry(replace(registry_of(), services={}, chat_chain=(), embed_model=""))
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
        call = stub.ChatCompletion(chat(), timeout=0.2)
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
            await stub.ChatCompletion(chat(), timeout=0.2)
        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        async with asyncio.timeout(1):
            while router.chat.open_streams:
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("fields", "step"),
    [({"data_class": contract_pb2.DATA_CLASS_RESTRICTED}, "CLEARANCE"), ({"residency": ["EU"]}, "RESIDENCY")],
)
async def test_texts_that_the_embedding_model_may_not_see_do_not_reach_it(
    router: Router, fields: dict[str, object], step: str
) -> None:
    async with router.served() as (stub, _):
        with pytest.raises(PreconditionFailed) as caught:
            await embed(stub, **fields)
    assert caught.value.reason == "NO_ROUTE"
    assert f"one/embed at security ({step})" in caught.value.message
    assert router.source.targets == []


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
        listed = await stub.ListModels(pb.ListModelsRequest(), timeout=5)
    models = listed.models
    assert list(listed.chat_chain) == ["one/chat", "two/tools"]
    assert [model.name for model in models] == ["one/chat", "two/tools", "one/embed"]
    assert models[0] == pb.Model(
        name="one/chat",
        provider="one",
        chat=True,
        context_length=4096,
        input_micro_usd_per_million=1_000_000,
        output_micro_usd_per_million=2_000_000,
        demonstration=True,
        configured=True,
    )
    assert models[1].tool_calling
    assert models[2].embeddings


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
