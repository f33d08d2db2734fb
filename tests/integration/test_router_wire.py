"""The HTTP side byte by byte: what goes out, and answers that no ordinary server sends."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path

import orjson
import pytest
from aiohttp import web
from router_service import chat, providers_file, raw_provider, router, streamed, text_of, unary, unused_port

from protos.gen.nexus.router.v1 import router_pb2 as pb
from shared.client import translated_errors
from shared.errors import InvalidInput, NexusError, PreconditionFailed, UpstreamDown
from shared.testing.scripted_provider import Reply, ScriptedProvider, ToolCall

SSE = {"Content-Type": "text/event-stream"}
KEY = "sk-test-0123456789"


def event(delta: dict, finish: str | None = None) -> bytes:
    return b"data: " + orjson.dumps({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}) + b"\n\n"


HELLO = event({"content": "Hello"}) + event({}, "stop") + b"data: [DONE]\n\n"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTER_TEST_KEY", KEY)


def sending(*pieces: bytes, delay_s: float = 0.0, **headers: str):
    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        response = web.StreamResponse(headers={**SSE, **{k.replace("_", "-"): v for k, v in headers.items()}})
        await response.prepare(request)
        for piece in pieces:
            await response.write(piece)
            await asyncio.sleep(delay_s)
        return response

    return handler


async def outcome(tmp_path: Path, handler, model: str = "", **settings: object) -> str:
    """The answer's text, or the error's reason and cause."""
    async with (
        raw_provider(handler) as url,
        router(providers_file(tmp_path, p0=("openai_compatible", url)), **settings) as stub,
    ):
        try:
            return text_of(await streamed(stub, chat(model)))
        except NexusError as error:
            return f"{error.reason} {error.metadata.get('cause', '')}".strip()


@pytest.mark.parametrize("size", [1, 7])
async def test_bytes_that_drip(tmp_path: Path, size: int) -> None:
    stream = HELLO.replace(b"\n", b"\r\n")
    pieces = [stream[i : i + size] for i in range(0, len(stream), size)]
    assert await outcome(tmp_path, sending(*pieces)) == "Hello"


async def test_comments_keep_nobody_waiting_for_ever(tmp_path: Path) -> None:
    pings = [b": ping\n\n"] * 40
    assert await outcome(tmp_path, sending(*pings, delay_s=0.02), "p0/m") == "PROVIDER_TIMEOUT"
    assert await outcome(tmp_path, sending(*pings[:5], HELLO, delay_s=0.01)) == "Hello"


@pytest.mark.parametrize(
    ("pieces", "result"),
    [
        ([event({"content": "Hel"}), b'data: {"choices": [{"del'], "STREAM_BROKEN PROVIDER_BAD_RESPONSE"),
        ([b'data: {"choices": [{"del'], "PROVIDER_BAD_RESPONSE"),
        ([event({"content": "Hel"}), b"data: [DONE]\n\n"], "STREAM_BROKEN PROVIDER_BAD_RESPONSE"),
        ([b"data: [DONE]\n\n"], "PROVIDER_BAD_RESPONSE"),
        ([event({"content": "Hello"}), event({}, "stop")], "Hello"),
        ([event({"content": "Hello"}), event({}, "stop"), b"data: [DONE]"], "Hello"),
        ([HELLO, event({"content": " again"}), b"garbage"], "Hello"),
        ([b"data: " + b"x" * 3_000_000], "PROVIDER_BAD_RESPONSE"),
        ([event({"content": "x" * 900_000})] * 6, "STREAM_BROKEN PROVIDER_BAD_RESPONSE"),
    ],
)
async def test_how_an_answer_may_end(tmp_path: Path, pieces: list[bytes], result: str) -> None:
    assert await outcome(tmp_path, sending(*pieces), "p0/m", total_timeout_s=20) == result


async def test_a_connection_that_stays_open_after_the_end_delays_nothing(tmp_path: Path) -> None:
    assert await outcome(tmp_path, sending(HELLO, b"", delay_s=1.0), total_timeout_s=0.8) == "Hello"


async def test_compressed_streams_are_read_all_the_same(tmp_path: Path) -> None:
    assert await outcome(tmp_path, sending(gzip.compress(HELLO), Content_Encoding="gzip")) == "Hello"


async def test_bytes_that_are_no_http(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", unused_port())
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    async with server, router(providers_file(tmp_path, p0=("openai_compatible", url))) as stub:
        with pytest.raises(UpstreamDown) as caught:
            await unary(stub, chat("p0/m"))
    assert caught.value.reason == "PROVIDER_BAD_RESPONSE"


async def test_a_redirect_is_not_followed_so_the_key_stays(tmp_path: Path) -> None:
    async with ScriptedProvider() as elsewhere:

        async def redirect(request: web.Request) -> web.StreamResponse:
            raise web.HTTPTemporaryRedirect(f"{elsewhere.base_url}/chat/completions")

        assert await outcome(tmp_path, redirect, "p0/m") == "PROVIDER_BAD_RESPONSE"
        assert elsewhere.requests == []


@pytest.mark.parametrize(
    ("dialect", "header", "value"),
    [("openai_compatible", "Authorization", f"Bearer {KEY}"), ("anthropic", "x-api-key", KEY)],
)
async def test_the_key_goes_into_its_header_and_nowhere_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], dialect: str, header: str, value: str
) -> None:
    seen: list[web.Request] = []
    bodies: list[bytes] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append(request)
        bodies.append(await request.read())
        return web.json_response({"error": {"message": f"bad key {KEY}"}}, status=400)

    async with raw_provider(handler) as url:
        file = providers_file(tmp_path, p0=(dialect, url))
        file.write_text(
            file.read_text().replace("openai_compatible,", "openai_compatible, api_key_env: ROUTER_TEST_KEY,")
        )
        async with router(file) as stub:
            with pytest.raises(InvalidInput) as caught:
                await unary(stub, chat("p0/m"))
            listed = await stub.ListProviders(pb.ListProvidersRequest())
    assert seen[0].headers[header] == value
    shown = str(caught.value) + str(caught.value.metadata) + str(listed) + capsys.readouterr().out
    assert KEY not in shown + seen[0].path_qs + bodies[0].decode()


async def test_a_missing_key_is_told_by_its_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROUTER_TEST_KEY")
    async with (
        ScriptedProvider() as provider,
        router(providers_file(tmp_path, p0=("anthropic", provider.root_url))) as stub,
    ):
        with pytest.raises(PreconditionFailed, match="ROUTER_TEST_KEY") as caught:
            await unary(stub, chat("p0/m"))
        listed = await stub.ListProviders(pb.ListProvidersRequest())
        assert provider.requests == []
    assert caught.value.reason == "PROVIDER_NOT_CONFIGURED"
    assert listed.providers[0].state == pb.PROVIDER_STATE_NOT_CONFIGURED


@pytest.mark.parametrize("dialect", ["openai_compatible", "anthropic"])
async def test_tools_there_and_back(tmp_path: Path, dialect: str) -> None:
    calls = (ToolCall("add", '{"x": 1, "y": 2}', "call_a"), ToolCall("now", "{}", "call_b"))
    tools = [pb.ToolDefinition(name=name, parameters_json_schema='{"type":"object"}') for name in ("add", "now")]
    async with ScriptedProvider() as provider:
        provider.script(Reply("Let me see.", tool_calls=calls, chunk_size=3), Reply("3"))
        url = provider.base_url if dialect == "openai_compatible" else provider.root_url
        async with router(providers_file(tmp_path, p0=(dialect, url))) as stub:
            first = await unary(stub, chat(tools=tools))
            assert first.finish_reason == pb.FINISH_REASON_TOOL_CALLS
            assert [(c.id, c.name, c.arguments_json) for c in first.message.tool_calls] == [
                ("call_a", "add", '{"x": 1, "y": 2}'),
                ("call_b", "now", "{}"),
            ]
            results = [
                pb.ChatMessage(
                    role=pb.ROLE_TOOL, tool_call_id=c.id, content=[pb.ContentPart(text=f"result of {c.name}")]
                )
                for c in first.message.tool_calls
            ]
            again = chat(tools=tools)
            again.messages.extend([first.message, *results])
            assert text_of(await unary(stub, again)) == "3"
        asked = provider.requests[1]
    assert [(r.call_id, r.content) for r in asked.tool_results] == [
        ("call_a", "result of add"),
        ("call_b", "result of now"),
    ]


def embeddings(*vectors: object, **fields: object) -> dict:
    return {"data": [{"index": i, "embedding": v} for i, v in enumerate(vectors)], **fields}


async def embedded(tmp_path: Path, body: object, status: int = 200, content_type: str = "application/json"):
    async def handler(request: web.Request) -> web.StreamResponse:
        raw = body if isinstance(body, bytes) else orjson.dumps(body)
        return web.Response(body=raw, status=status, content_type=content_type)

    async with (
        raw_provider(handler) as url,
        router(providers_file(tmp_path, p0=("openai_compatible", url))) as stub,
    ):
        try:
            async with translated_errors("router"):
                return await stub.Embed(pb.EmbedRequest(model="p0/e", inputs=["a", "b"]), timeout=5)
        except NexusError as error:
            return error


async def test_vectors_are_ordered_by_index_and_of_unit_length(tmp_path: Path) -> None:
    body = {
        "data": [{"index": 1, "embedding": [0, 5.0]}, {"index": 0, "embedding": [3, 4]}],
        "usage": {"prompt_tokens": 4, "total_tokens": 4},
    }
    response = await embedded(tmp_path, body)
    assert [list(e.values) for e in response.embeddings] == [pytest.approx([0.6, 0.8]), pytest.approx([0.0, 1.0])]
    assert (response.model, response.usage.input_tokens) == ("p0/e", 4)


@pytest.mark.parametrize(
    ("body", "status", "content_type", "reason"),
    [
        (embeddings([1.0]), 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        (embeddings([1.0], [1.0, 2.0]), 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        (embeddings([1.0], ["x"]), 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        (embeddings([1.0], "x"), 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        (embeddings([1.0], [0.0]), 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        ({"data": [{"index": 0, "embedding": [1]}] * 2}, 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        ({}, 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        (b"", 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        (b'{"data": [', 200, "application/json", "PROVIDER_BAD_RESPONSE"),
        (b"<html>", 200, "text/html", "PROVIDER_BAD_RESPONSE"),
        ({"error": {}}, 401, "application/json", "PROVIDER_REFUSED_KEY"),
        ({"error": {}}, 429, "application/json", "PROVIDER_RATE_LIMITED"),
        ({"error": {}}, 500, "application/json", "PROVIDER_ERROR"),
        ({"error": {"message": "input is too large to process"}}, 500, "application/json", "CONTEXT_TOO_LONG"),
    ],
)
async def test_wrong_vectors(tmp_path: Path, body: object, status: int, content_type: str, reason: str) -> None:
    error = await embedded(tmp_path, body, status, content_type)
    assert isinstance(error, NexusError)
    assert error.reason == reason


async def test_embeddings_that_never_come(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()

    async with (
        raw_provider(handler) as url,
        router(providers_file(tmp_path, p0=("openai_compatible", url)), embed_timeout_s=0.1) as stub,
    ):
        with pytest.raises(UpstreamDown) as caught:
            async with translated_errors("router"):
                await stub.Embed(pb.EmbedRequest(model="p0/e", inputs=["a"]), timeout=5)
    assert caught.value.reason == "PROVIDER_TIMEOUT"
