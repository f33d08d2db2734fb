from __future__ import annotations

from contextlib import aclosing

import pytest
from router_fakes import HELLO, QUESTION, FakeCatalog, FakeChatModel, FakeModelSource, catalog_of, model_spec

from provider_router.domain.chat import ChatRequest, FinishReason, Message, Role, Tool
from provider_router.domain.errors import Reason, failure
from provider_router.domain.events import Completed, Finished, Started, TextDelta, ToolCallDelta
from provider_router.domain.usage import Prices, TokenUsage
from provider_router.use_cases.complete_chat import CompleteChat
from provider_router.use_cases.stream_chat import StreamChat
from shared.errors import InvalidInput, NexusError, PreconditionFailed, UpstreamDown
from shared.testing.fakes import FakeClock

DOWN = failure(Reason.PROVIDER_UNREACHABLE, "The provider does not answer.")
LIMITED = failure(Reason.PROVIDER_RATE_LIMITED, "Later.", retry_after_s=7.0)
TOO_LONG = failure(Reason.CONTEXT_TOO_LONG, "Too long.")
WITH_TOOLS = ChatRequest((Message(Role.USER, "Hi"),), tools=(Tool("t", "d", {}),))


def router(models: dict[str, FakeChatModel], *specs, **catalog) -> StreamChat:
    specs = specs or tuple(model_spec(name) for name in models)
    return StreamChat(FakeCatalog(catalog_of(*specs, **catalog)), FakeModelSource(models), FakeClock())


async def drained(stream: StreamChat, model: str = "", request: ChatRequest = QUESTION) -> list:
    return [event async for event in stream(model, request)]


async def test_the_stream_starts_flows_and_completes_with_the_price() -> None:
    spec = model_spec("one/m", prices=Prices(1_000_000, 2_000_000), demonstration=True)
    events = await drained(router({"one/m": FakeChatModel()}, spec))
    assert events == [
        Started("one/m", (), demonstration=True),
        TextDelta("Hel"),
        TextDelta("lo"),
        Completed(FinishReason.STOP, TokenUsage(10, 2), 14),
    ]


async def test_a_failure_before_the_first_piece_moves_on_and_is_reported() -> None:
    models = {"one/m": FakeChatModel([DOWN]), "two/m": FakeChatModel([LIMITED]), "three/m": FakeChatModel()}
    events = await drained(router(models))
    assert events[0].model == "three/m"
    assert [(a.model, a.reason) for a in events[0].attempts] == [
        ("one/m", "PROVIDER_UNREACHABLE"),
        ("two/m", "PROVIDER_RATE_LIMITED"),
    ]
    assert events[-1].finish_reason is FinishReason.STOP


async def test_a_provider_without_its_key_is_an_attempt_like_others() -> None:
    stream = router({"two/m": FakeChatModel()}, model_spec("one/m"), model_spec("two/m"))
    events = await drained(stream)
    assert [a.reason for a in events[0].attempts] == ["PROVIDER_NOT_CONFIGURED"]


async def test_a_failure_after_the_first_piece_breaks_the_stream_and_nothing_else_is_tried() -> None:
    models = {"one/m": FakeChatModel([TextDelta("Hel"), DOWN]), "two/m": FakeChatModel()}
    events = router(models)("", QUESTION)
    seen = [await anext(events), await anext(events)]
    with pytest.raises(UpstreamDown) as caught:
        await anext(events)
    assert caught.value.reason == "STREAM_BROKEN"
    assert caught.value.metadata == {"model": "one/m", "cause": "PROVIDER_UNREACHABLE"}
    assert [type(event) for event in seen] == [Started, TextDelta]
    assert models["two/m"].asked == []


async def test_a_model_that_ends_without_a_finish_is_a_failure() -> None:
    models = {"one/m": FakeChatModel([]), "two/m": FakeChatModel([TextDelta("x")])}
    with pytest.raises(UpstreamDown) as caught:
        await drained(router(models))
    assert caught.value.reason == "STREAM_BROKEN"


async def test_all_models_failed_tells_each_reason_and_the_shortest_wait() -> None:
    models = {"one/m": FakeChatModel([DOWN]), "two/m": FakeChatModel([LIMITED]), "three/m": FakeChatModel([TOO_LONG])}
    with pytest.raises(UpstreamDown) as caught:
        await drained(router(models))
    assert caught.value.reason == "ALL_MODELS_FAILED"
    assert caught.value.metadata == {
        "one/m": "PROVIDER_UNREACHABLE",
        "two/m": "PROVIDER_RATE_LIMITED",
        "three/m": "CONTEXT_TOO_LONG",
    }
    assert caught.value.retry_after_s == 7.0


async def test_a_request_that_every_model_rejects_is_the_callers_fault() -> None:
    with pytest.raises(InvalidInput) as caught:
        await drained(router({"one/m": FakeChatModel([TOO_LONG])}))
    assert caught.value.reason == "CONTEXT_TOO_LONG"


@pytest.mark.parametrize("error", [DOWN, LIMITED, TOO_LONG])
async def test_a_named_model_is_the_only_one_tried(error: NexusError) -> None:
    models = {"one/m": FakeChatModel([error]), "two/m": FakeChatModel()}
    with pytest.raises(type(error)) as caught:
        await drained(router(models), "one/m")
    assert caught.value is error
    assert models["two/m"].asked == []


async def test_a_model_outside_the_chain_can_be_named() -> None:
    models = {"one/m": FakeChatModel(), "two/m": FakeChatModel()}
    events = await drained(router(models, chain=["one/m"]), "two/m")
    assert events[0].model == "two/m"


async def test_tools_skip_models_that_cannot_call_them() -> None:
    models = {"one/m": FakeChatModel(), "two/m": FakeChatModel()}
    stream = router(models, model_spec("one/m"), model_spec("two/m", tool_calling=True))
    events = await drained(stream, request=WITH_TOOLS)
    assert events[0].model == "two/m"
    assert [a.reason for a in events[0].attempts] == ["UNSUPPORTED_CAPABILITY"]
    assert models["one/m"].asked == []


@pytest.mark.parametrize("model", ["", "one/m"])
async def test_tools_are_refused_where_no_model_calls_them(model: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await drained(router({"one/m": FakeChatModel()}), model, WITH_TOOLS)
    assert caught.value.reason == "UNSUPPORTED_CAPABILITY"


async def test_a_schema_is_refused_by_a_model_that_does_not_follow_one() -> None:
    request = ChatRequest((Message(Role.USER, "Hi"),), response_schema={})
    with pytest.raises(InvalidInput) as caught:
        await drained(router({"one/m": FakeChatModel()}, model_spec("one/m", json_schema=False)), "", request)
    assert caught.value.reason == "UNSUPPORTED_CAPABILITY"


@pytest.mark.parametrize(
    ("model", "error", "reason"),
    [
        ("one/none", InvalidInput, "MODEL_UNKNOWN"),
        ("one/e", InvalidInput, "UNSUPPORTED_CAPABILITY"),
        ("", PreconditionFailed, "NO_MODEL_CONFIGURED"),
    ],
)
async def test_models_that_cannot_be_had(model: str, error: type[NexusError], reason: str) -> None:
    stream = router({}, model_spec("one/e", chat=False, embeddings=True), chain=[])
    with pytest.raises(error) as caught:
        await drained(stream, model)
    assert caught.value.reason == reason


async def test_an_empty_chat_is_refused_before_any_model_is_asked() -> None:
    model = FakeChatModel()
    with pytest.raises(InvalidInput) as caught:
        await drained(router({"one/m": model}), "", ChatRequest((Message(Role.USER, ""),)))
    assert caught.value.reason == "INVALID_MESSAGES"
    assert model.asked == []


async def test_leaving_the_stream_closes_the_model() -> None:
    model = FakeChatModel([TextDelta("x"), ...])
    async with aclosing(router({"one/m": model})("", QUESTION)) as events:
        assert isinstance(await anext(events), Started)
        assert model.open_streams == 1
    assert model.open_streams == 0


async def test_an_answer_without_text_starts_and_completes() -> None:
    model = FakeChatModel([Finished(FinishReason.CONTENT_FILTER, None)])
    events = await drained(router({"one/m": model}))
    assert events == [Started("one/m", (), demonstration=False), Completed(FinishReason.CONTENT_FILTER, None, 0)]


async def test_completing_drains_the_stream() -> None:
    calls = [
        TextDelta("Let me see"),
        ToolCallDelta(0, "a", "add", ""),
        ToolCallDelta(1, "b", "now", "{"),
        ToolCallDelta(0, "", "", '{"x":1}'),
        ToolCallDelta(1, "", "", "}"),
        Finished(FinishReason.TOOL_CALLS, TokenUsage(3, 4)),
    ]
    models = {"one/m": FakeChatModel([DOWN]), "two/m": FakeChatModel(calls)}
    answer = await CompleteChat(router(models))("", QUESTION)
    assert answer.model == "two/m"
    assert answer.message.text == "Let me see"
    assert [(c.id, c.name, c.arguments_json) for c in answer.message.tool_calls] == [
        ("a", "add", '{"x":1}'),
        ("b", "now", "{}"),
    ]
    assert answer.finish_reason is FinishReason.TOOL_CALLS
    assert [a.reason for a in answer.attempts] == ["PROVIDER_UNREACHABLE"]


async def test_completing_a_broken_stream_is_no_success() -> None:
    with pytest.raises(UpstreamDown) as caught:
        await CompleteChat(router({"one/m": FakeChatModel([*HELLO[:2], DOWN])}))("", QUESTION)
    assert caught.value.reason == "STREAM_BROKEN"


async def test_how_long_an_attempt_took_is_reported() -> None:
    clock = FakeClock()

    class Slow(FakeChatModel):
        async def stream(self, request):
            clock.advance(2.5)
            raise DOWN
            yield

    catalog = FakeCatalog(catalog_of(model_spec("one/m"), model_spec("two/m")))
    source = FakeModelSource({"one/m": Slow(), "two/m": FakeChatModel()})
    events = [event async for event in StreamChat(catalog, source, clock)("", QUESTION)]
    assert events[0].attempts[0].duration_s == 2.5
