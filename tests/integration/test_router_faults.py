"""Faults in the dialect that `test_router_fault_matrix` does not speak, and what a caller who leaves does."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from router_faults import balanced, books_router
from router_service import (
    Stub,
    chat,
    providers_file,
    router,
    streamed,
    text_of,
    unary,
    unused_port,
)

from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.errors import NexusError, UpstreamDown
from shared.testing.scripted_provider import (
    Action,
    DuplicateFinish,
    EmptyBody,
    EndlessStream,
    ErrorInStream,
    Garbage,
    Hang,
    MissingUsage,
    Reply,
    Reset,
    Rule,
    ScriptedProvider,
    Status,
    Truncate,
    Usage,
    WrongContentType,
)

GOOD = Reply("Hello there", usage=Usage(1000, 500))
BEFORE: dict[str, tuple[Action, str]] = {
    "key refused": (Status(401), "PROVIDER_REFUSED_KEY"),
    "model missing": (Status(404), "PROVIDER_MODEL_MISSING"),
    "bad request": (Status(400), "PROVIDER_REFUSED_REQUEST"),
    "rate limited": (Status(429, retry_after="7"), "PROVIDER_RATE_LIMITED"),
    "overloaded": (Status(529), "PROVIDER_ERROR"),
    "html error": (Status(502, body="<html>sk-secret</html>"), "PROVIDER_ERROR"),
    "silent": (Hang("headers"), "PROVIDER_TIMEOUT"),
    "silent after headers": (Hang("first_token"), "PROVIDER_TIMEOUT"),
    "reset": (Reset(after_chunks=0), "PROVIDER_"),
    "truncated": (Truncate(after_chunks=0), "PROVIDER_BAD_RESPONSE"),
    "garbage": (Garbage(), "PROVIDER_BAD_RESPONSE"),
    "wrong content type": (WrongContentType(), "PROVIDER_BAD_RESPONSE"),
    "empty body": (EmptyBody(), "PROVIDER_BAD_RESPONSE"),
    "error in a stream": (ErrorInStream(after_chunks=0, message="sk-secret"), "PROVIDER_ERROR"),
}
AFTER: dict[str, tuple[Action, str]] = {
    # The dialect has an event before the first text, so `Hang` would be silent too early there.
    "silent": (Reply("One piece, then silence.", chunk_delay_s=0.3), "PROVIDER_TIMEOUT"),
    "reset": (Reset(after_chunks=2), "PROVIDER_"),
    "truncated": (Truncate(after_chunks=2), "PROVIDER_BAD_RESPONSE"),
    "error in a stream": (ErrorInStream(after_chunks=2, message="sk-secret"), "PROVIDER_ERROR"),
    "endless": (EndlessStream(chunk_delay_s=0.05), "PROVIDER_TIMEOUT"),
}
Call = Callable[[Stub, pb.ChatCompletionRequest], Awaitable[pb.ChatCompletionResponse]]
CALLS = pytest.mark.parametrize("call", [unary, streamed])
DIALECTS = pytest.mark.parametrize("dialect", ["openai_compatible", "anthropic"])


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_TEST_KEY", "sk-test-0123456789")


def file_for(folder: Path, dialect: str, *providers: ScriptedProvider) -> Path:
    urls = [p.base_url if dialect == "openai_compatible" else p.root_url for p in providers]
    return providers_file(folder, **{f"p{i}": (dialect, url) for i, url in enumerate(urls)})


def no_secret(error: NexusError) -> bool:
    return "sk-" not in f"{error.message} {error.metadata}"


@pytest.mark.parametrize("fault", BEFORE)
async def test_before_the_first_token_a_chain_moves_on(tmp_path: Path, fault: str) -> None:
    action, reason = BEFORE[fault]
    async with ScriptedProvider() as bad, ScriptedProvider() as good:
        bad.rule(Rule(action))
        good.script(GOOD)
        async with books_router(file_for(tmp_path, "anthropic", bad, good)) as router:
            answer = await streamed(router.stub, chat())
            books = await router.books()
    assert (answer.model, text_of(answer)) == ("p1/m", "Hello there")
    assert {attempt.model for attempt in answer.attempts} == {"p0/m"}
    assert all(attempt.reason.startswith(reason) for attempt in answer.attempts)
    assert answer.cost_micro_usd == books.cost_micro_usd() == 2000
    assert (len(bad.requests), len(good.requests)) == (len(answer.attempts), 1)
    assert balanced(books)


@pytest.mark.parametrize("fault", AFTER)
async def test_after_the_first_token_the_stream_is_broken(tmp_path: Path, fault: str) -> None:
    action, cause = AFTER[fault]
    async with ScriptedProvider() as bad, ScriptedProvider() as good:
        bad.rule(Rule(action))
        async with books_router(file_for(tmp_path, "anthropic", bad, good), first_token_timeout_s=1.0) as router:
            with pytest.raises(UpstreamDown) as caught:
                await streamed(router.stub, chat())
            books = await router.books()
        assert (len(bad.requests), len(good.requests)) == (1, 0)
    assert caught.value.reason == "STREAM_BROKEN"
    assert caught.value.metadata["cause"].startswith(cause)
    assert no_secret(caught.value)
    assert books.cost_micro_usd() > 0
    assert balanced(books)


@CALLS
async def test_a_provider_that_hangs_mid_stream(tmp_path: Path, call: Call) -> None:
    async with ScriptedProvider() as provider:
        provider.rule(Rule(Hang("mid_stream")))
        async with router(file_for(tmp_path, "openai_compatible", provider)) as stub:
            with pytest.raises(UpstreamDown) as caught:
                await call(stub, chat())
        assert provider.disconnects == 1
    assert (caught.value.reason, caught.value.metadata["cause"]) == ("STREAM_BROKEN", "PROVIDER_TIMEOUT")


@CALLS
@DIALECTS
async def test_a_provider_that_is_not_there(tmp_path: Path, call: Call, dialect: str) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    async with ScriptedProvider() as good:
        good.script(GOOD)
        url = good.base_url if dialect == "openai_compatible" else good.root_url
        file = providers_file(tmp_path, gone=(dialect, nowhere), good=(dialect, url))
        async with router(file) as stub:
            with pytest.raises(UpstreamDown) as caught:
                await call(stub, chat("gone/m"))
            assert caught.value.reason == "PROVIDER_UNREACHABLE"
            answer = await call(stub, chat())
            states = {p.name: p for p in (await stub.ListProviders(pb.ListProvidersRequest())).providers}
    assert (answer.model, answer.attempts[0].reason) == ("good/m", "PROVIDER_UNREACHABLE")
    assert states["gone"].state == pb.PROVIDER_STATE_FAILING
    assert states["gone"].last_error_reason == "PROVIDER_UNREACHABLE"
    assert states["good"].state == pb.PROVIDER_STATE_AVAILABLE


@CALLS
@DIALECTS
async def test_all_providers_down(tmp_path: Path, call: Call, dialect: str) -> None:
    async with ScriptedProvider() as one, ScriptedProvider() as two:
        one.rule(Rule(Status(429, retry_after="9")))
        two.rule(Rule(Status(500)))
        async with router(file_for(tmp_path, dialect, one, two)) as stub:
            with pytest.raises(UpstreamDown) as caught:
                await call(stub, chat())
    assert caught.value.reason == "ALL_MODELS_FAILED"
    assert caught.value.retry_after_s == pytest.approx(9.0, abs=0.5)
    assert caught.value.metadata["p0/m"] == "PROVIDER_RATE_LIMITED"
    assert caught.value.metadata["p1/m"] == "PROVIDER_ERROR"


@CALLS
@DIALECTS
async def test_missing_usage_is_no_failure_and_is_paid_for(tmp_path: Path, call: Call, dialect: str) -> None:
    async with ScriptedProvider() as provider:
        provider.script(MissingUsage(GOOD))
        async with router(file_for(tmp_path, dialect, provider)) as stub:
            answer = await call(stub, chat())
    assert text_of(answer) == "Hello there"
    assert not answer.HasField("usage")
    assert answer.cost_micro_usd > 0


@CALLS
@DIALECTS
async def test_a_second_end_is_ignored(tmp_path: Path, call: Call, dialect: str) -> None:
    async with ScriptedProvider() as provider:
        provider.script(DuplicateFinish(GOOD))
        async with router(file_for(tmp_path, dialect, provider)) as stub:
            answer = await call(stub, chat())
    assert text_of(answer) == "Hello there"
    assert answer.finish_reason == pb.FINISH_REASON_STOP


@DIALECTS
async def test_a_caller_that_leaves_ends_the_work_upstream_within_100_ms(tmp_path: Path, dialect: str) -> None:
    async with ScriptedProvider() as provider:
        provider.rule(Rule(EndlessStream(chunk_delay_s=0.01)))
        async with books_router(file_for(tmp_path, dialect, provider), total_timeout_s=30) as router:
            call = router.stub.StreamChatCompletion(pb.StreamChatCompletionRequest(request=chat()), timeout=30)
            for _ in range(3):
                await call.read()
            assert provider.disconnects == 0
            call.cancel()
            left = time.monotonic()
            await provider.recording.wait_for_disconnects(1, timeout_s=2)
            assert time.monotonic() - left < 0.1
            books = await router.books()
            states = (await router.stub.ListProviders(pb.ListProvidersRequest())).providers
    assert books.outcomes() == [("p0/m", "aborted", "")]
    assert books.rows[0].usage.output_tokens > 0
    assert books.cost_micro_usd() > 0
    assert balanced(books)
    # Nobody failed here.
    assert states[0].state == pb.PROVIDER_STATE_UNKNOWN


@DIALECTS
async def test_a_caller_that_leaves_before_the_headers_closes_the_connection(tmp_path: Path, dialect: str) -> None:
    async with ScriptedProvider() as provider:
        provider.script(Hang("headers"))
        async with router(file_for(tmp_path, dialect, provider), first_token_timeout_s=30) as stub:
            call = stub.ChatCompletion(chat(), timeout=30)
            async with asyncio.timeout(2):
                while not provider.requests:
                    await asyncio.sleep(0.005)
                call.cancel()
                while provider.disconnects == 0:
                    await asyncio.sleep(0.005)


async def test_connections_are_used_again(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider:
        provider.script(*[GOOD] * 20)
        async with router(file_for(tmp_path, "openai_compatible", provider)) as stub:
            answers = [await streamed(stub, chat()) for _ in range(20)]
    assert [text_of(answer) for answer in answers] == ["Hello there"] * 20
    # A connection that is closed before the end of its body counts as a client that left.
    assert provider.disconnects == 0


async def test_many_calls_at_once(tmp_path: Path) -> None:
    async with ScriptedProvider() as provider:
        provider.script(*[Reply(f"answer {i:02}", chunk_delay_s=0.01) for i in range(40)])
        async with router(
            file_for(tmp_path, "openai_compatible", provider),
            connections_per_host=8,
            first_token_timeout_s=5,
            idle_timeout_s=5,
            total_timeout_s=10,
        ) as stub:
            answers = await asyncio.gather(*(streamed(stub, chat()) for _ in range(40)))
    assert sorted(text_of(answer) for answer in answers) == [f"answer {i:02}" for i in range(40)]
