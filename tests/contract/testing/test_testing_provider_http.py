"""The scripted provider over real HTTP, driven by the official clients of both dialects."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anthropic
import httpx
import openai
import pytest

from shared.testing import scripted_provider as sp

ASK = [{"role": "user", "content": "What is 12*12, and what time is it?"}]
OPENAI_TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("calculator", "get_current_time")
]
ANTHROPIC_TOOLS = [{"name": name, "input_schema": {"type": "object"}} for name in ("calculator", "get_current_time")]
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture
async def provider() -> AsyncIterator[sp.ScriptedProvider]:
    async with sp.ScriptedProvider(api_key="right") as running:
        yield running


@pytest.fixture
async def client(provider: sp.ScriptedProvider) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="right", max_retries=0) as made:
        yield made


@pytest.fixture
async def claude(provider: sp.ScriptedProvider) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=provider.root_url, api_key="right", max_retries=0) as made:
        yield made


async def stream_text(client: openai.AsyncOpenAI) -> str:
    text = ""
    stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
    async for chunk in stream:
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
    return text


async def test_two_tool_question_is_answered_with_both_results(client) -> None:
    first = await client.chat.completions.create(model="m", messages=ASK, tools=OPENAI_TOOLS)
    message = first.choices[0].message
    assert [call.function.name for call in message.tool_calls] == ["calculator", "get_current_time"]
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": content}
        for call, content in zip(message.tool_calls, ["144", "noon"], strict=True)
    ]
    history = [*ASK, message.model_dump(exclude_none=True), *results]
    second = await client.chat.completions.create(model="m", messages=history, tools=OPENAI_TOOLS)
    assert "calculator says 144" in second.choices[0].message.content
    assert "get_current_time says noon" in second.choices[0].message.content


async def test_openai_stream_gives_text_and_usage(client, provider) -> None:
    provider.script(sp.Reply("Hello, world", usage=sp.Usage(7, 3, cached_input_tokens=2)))
    options = {"include_usage": True}
    stream = await client.chat.completions.create(model="m", messages=ASK, stream=True, stream_options=options)
    chunks = [chunk async for chunk in stream]
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "Hello, world"
    assert chunks[-1].usage.prompt_tokens == 7
    assert chunks[-1].usage.prompt_tokens_details.cached_tokens == 2
    assert chunks[-2].choices[0].finish_reason == "stop"


async def test_anthropic_client_understands_whole_and_streamed_answers(claude, provider) -> None:
    whole = await claude.messages.create(model="m", max_tokens=9, messages=ASK, tools=ANTHROPIC_TOOLS)
    assert [block.name for block in whole.content] == ["calculator", "get_current_time"]
    provider.script(sp.Reply("Both.", tool_calls=(("calculator", '{"expression": "12*12"}'),)))
    async with claude.messages.stream(model="m", max_tokens=9, messages=ASK, tools=ANTHROPIC_TOOLS) as stream:
        final = await stream.get_final_message()
    assert final.content[0].text == "Both."
    assert final.content[1].input == {"expression": "12*12"}
    assert final.stop_reason == "tool_use"


async def test_wrong_key_is_refused_in_each_dialect(provider) -> None:
    async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="wrong", max_retries=0) as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stream_text(stranger)
        with pytest.raises(openai.AuthenticationError):
            await stranger.models.list()
        with pytest.raises(openai.AuthenticationError):
            await stranger.embeddings.create(model="m", input="x")
    async with anthropic.AsyncAnthropic(base_url=provider.root_url, api_key="no", max_retries=0) as stranger:
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(model="m", max_tokens=9, messages=ASK)
    assert provider.requests == []


async def test_requests_are_recorded_without_their_credentials(client, provider) -> None:
    await stream_text(client)
    request = provider.requests[0]
    assert request.body["messages"] == ASK
    assert request.authorization_present
    assert "right" not in str(request.headers)


async def test_status_carries_its_body_and_retry_after(client, provider) -> None:
    provider.script(sp.Status(429, retry_after="7"), sp.Status(500, body="boom"))
    with pytest.raises(openai.RateLimitError) as limited:
        await stream_text(client)
    assert limited.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.InternalServerError) as failed:
        await stream_text(client)
    assert failed.value.response.text == "boom"


async def test_reset_breaks_the_connection_and_is_no_disconnect(client, provider) -> None:
    provider.script(sp.Reset(after_chunks=2))
    with pytest.raises((openai.APIConnectionError, httpx.ReadError, httpx.RemoteProtocolError)):
        await stream_text(client)
    assert provider.disconnects == 0


async def test_truncated_stream_ends_cleanly_without_finish(client, provider) -> None:
    provider.script(sp.Truncate(after_chunks=2, reply=sp.Reply("abcdef", chunk_size=2)))
    assert await stream_text(client) == "abcd"


async def test_error_in_stream_is_an_error_object(client, provider) -> None:
    provider.script(sp.ErrorInStream(message="overloaded now"))
    with pytest.raises(openai.APIError, match="overloaded now"):
        await stream_text(client)


@pytest.mark.parametrize("before", ["headers", "first_token", "mid_stream"])
async def test_hang_waits_until_the_client_leaves(client, provider, before) -> None:
    provider.script(sp.Hang(before))
    with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
        await stream_text(client.with_options(timeout=0.1))
    await provider.recording.wait_for_disconnects(1)
    assert provider.recording.in_flight == 0


async def test_endless_stream_stops_when_the_client_leaves(client, provider) -> None:
    provider.script(sp.EndlessStream())
    stream = await client.chat.completions.create(model="m", messages=ASK, stream=True)
    received = 0
    async for _ in stream:
        received += 1
        if received == 20:
            break
    await stream.close()
    await provider.recording.wait_for_disconnects(1)


@pytest.mark.parametrize(
    ("action", "content_type", "start"),
    [
        (sp.Garbage(), "application/json", b'{"id": \xff'),
        (sp.WrongContentType(), "text/html", b"<!doctype"),
        (sp.EmptyBody(), "application/json", b""),
    ],
)
async def test_bad_bodies_come_as_scripted(provider, action, content_type: str, start: bytes) -> None:
    provider.script(action)
    headers = {"authorization": "Bearer right"}
    async with httpx.AsyncClient(base_url=provider.base_url, headers=headers) as http:
        response = await http.post("/chat/completions", json={"model": "m", "messages": ASK})
    assert response.status_code == 200
    assert response.headers["content-type"].startswith(content_type)
    assert response.content[: len(start) or 1] == start


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"model": "m", "messages": [3]}'])
async def test_malformed_requests_are_refused(provider, content: bytes) -> None:
    headers = {"authorization": "Bearer right"}
    async with httpx.AsyncClient(base_url=provider.base_url, headers=headers) as http:
        response = await http.post("/chat/completions", content=content)
    assert response.status_code == 400
    assert response.json()["error"]["type"] == "invalid_request_error"


async def test_models_and_embeddings(client, provider) -> None:
    models = await client.models.list()
    assert [model.id for model in models.data] == ["scripted-chat", "scripted-embed"]
    answer = await client.embeddings.create(model="e", input=["a b", "b a"], encoding_format="float")
    assert answer.data[0].embedding == pytest.approx(answer.data[1].embedding)
    assert provider.recording.embeddings[0].model == "e"


async def test_requests_are_answered_side_by_side(client, provider) -> None:
    provider.script(*[sp.Reply("abcd", chunk_delay_s=0.05, chunk_size=4)] * 3)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(stream_text(client))
    assert provider.recording.most_in_flight == 3


async def test_runs_as_a_process_with_a_script(tmp_path: Path) -> None:
    script, key = tmp_path / "script.json", tmp_path / "key"
    script.write_text(json.dumps({"rules": [{"then": {"type": "reply", "text": "from the file"}}]}))
    key.write_text("secret\n")
    command = ["-m", "shared.testing.scripted_provider", "--script", str(script), "--api-key-file", str(key)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, stdout=asyncio.subprocess.PIPE, cwd=REPOSITORY
    )
    assert process.stdout is not None
    try:
        url = (await asyncio.wait_for(process.stdout.readline(), timeout=20)).decode().strip()
        async with openai.AsyncOpenAI(base_url=url, api_key="secret", max_retries=0) as client:
            assert await stream_text(client) == "from the file"
    finally:
        process.send_signal(signal.SIGTERM)
        code = await asyncio.wait_for(process.wait(), timeout=10)
        process._transport.close()  # type: ignore[attr-defined]
    assert code == 0
