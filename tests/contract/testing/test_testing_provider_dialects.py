"""What the official clients get of the scripted provider in each dialect: all that the formats have."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator

import anthropic
import httpx
import openai
import pytest
from pydantic import BaseModel

from shared.testing import scripted_provider as sp
from shared.testing.scripted_provider.agent import SIGNATURE

PIXEL = b"\x89PNG\r\n\x1a\n not really a picture"
DATA = base64.b64encode(PIXEL).decode()
SEEN = "image/png of 29 bytes"
ASK = [{"role": "user", "content": "What is 12*12, and what time is it?"}]
SCHEMA = {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]}
CHAT_TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("calculator", "lookup")
]
ANTHROPIC_TOOLS = [{"name": name, "input_schema": SCHEMA} for name in ("calculator", "lookup")]
RESPONSES_TOOLS = [{"type": "function", "name": name, "parameters": SCHEMA} for name in ("calculator", "lookup")]
EVERYTHING = sp.Reply(
    "The answer.",
    tool_calls=(("calculator", '{"expression": "12*12"}'), ("lookup", "{}")),
    thinking="Let me think.",
    signature="c2ln",
    redacted="c2VjcmV0",
    usage=sp.Usage(100, 50, cached_input_tokens=40, reasoning_tokens=20),
    chunk_size=3,
)


class Animal(BaseModel):
    """An answer's shape."""

    name: str
    legs: int


@pytest.fixture
async def provider() -> AsyncIterator[sp.ScriptedProvider]:
    async with sp.ScriptedProvider() as running:
        yield running


@pytest.fixture
async def client(provider: sp.ScriptedProvider) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=provider.base_url, api_key="any", max_retries=0) as made:
        yield made


@pytest.fixture
async def claude(provider: sp.ScriptedProvider) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=provider.root_url, api_key="any", max_retries=0) as made:
        yield made


async def test_images_and_files_are_seen_in_each_dialect(client, claude, provider) -> None:
    url = f"data:image/png;base64,{DATA}"
    pdf = f"data:application/pdf;base64,{DATA}"
    parts = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "file", "file": {"file_data": pdf, "filename": "a.pdf"}},
        {"type": "input_audio", "input_audio": {"data": DATA, "format": "wav"}},
    ]
    said = await client.chat.completions.create(model="m", messages=[{"role": "user", "content": parts}])
    assert SEEN in said.choices[0].message.content
    assert [a.name for a in provider.requests[0].attachments] == ["", "a.pdf", ""]
    source = {"type": "base64", "media_type": "image/png", "data": DATA}
    blocks = [{"type": "text", "text": "Look"}, {"type": "image", "source": source}]
    whole = await claude.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": blocks}])
    assert SEEN in whole.content[0].text
    items = [{"role": "user", "content": [{"type": "input_image", "image_url": url, "detail": "auto"}]}]
    answer = await client.responses.create(model="m", input=items)
    assert SEEN in answer.output_text
    assert len({request.attachments[0].digest for request in provider.requests}) == 1


async def test_messages_say_everything_streamed_as_whole(claude, provider) -> None:
    provider.script(EVERYTHING, EVERYTHING)
    whole = await claude.messages.create(model="m", max_tokens=9, messages=ASK)
    async with claude.messages.stream(model="m", max_tokens=9, messages=ASK) as stream:
        streamed = await stream.get_final_message()
    kinds = ["thinking", "redacted_thinking", "text", "tool_use", "tool_use"]
    assert [block.type for block in whole.content] == kinds
    assert [block.model_dump() for block in streamed.content] == [block.model_dump() for block in whole.content]
    assert whole.content[0].signature == "c2ln"
    assert whole.content[3].input == {"expression": "12*12"}
    assert (whole.usage.input_tokens, whole.usage.cache_read_input_tokens) == (60, 40)


async def test_responses_say_everything_streamed_as_whole(client, provider) -> None:
    provider.script(EVERYTHING, EVERYTHING)
    whole = await client.responses.create(model="m", input="Hi")
    async with client.responses.stream(model="m", input="Hi") as stream:
        numbers = [event.sequence_number async for event in stream]
        streamed = await stream.get_final_response()
    assert numbers == list(range(len(numbers)))
    assert [item.type for item in whole.output] == ["reasoning", "reasoning", "message", *["function_call"] * 2]
    assert streamed.output_text == whole.output_text == "The answer."
    assert streamed.output[0].summary[0].text == "Let me think."
    assert streamed.output[3].arguments == '{"expression": "12*12"}'
    assert streamed.usage.output_tokens_details.reasoning_tokens == 20


async def test_chat_says_everything_streamed_as_whole(client, provider) -> None:
    provider.script(EVERYTHING, EVERYTHING)
    whole = await client.chat.completions.create(model="m", messages=ASK)
    async with client.chat.completions.stream(model="m", messages=ASK) as stream:
        streamed = await stream.get_final_completion()
    for answer in (whole, streamed):
        message = answer.choices[0].message
        assert message.content == "The answer."
        assert message.reasoning_content == "Let me think."
        assert [call.function.arguments for call in message.tool_calls] == ['{"expression": "12*12"}', "{}"]


async def test_chat_gives_choices_logprobs_and_the_seed_back(client) -> None:
    options = {"n": 2, "logprobs": True, "top_logprobs": 3, "seed": 11, "stop": ["12"]}
    whole = await client.chat.completions.create(model="m", messages=ASK, **options)
    assert [choice.message.content for choice in whole.choices] == ["You said: What is "] * 2
    assert whole.system_fingerprint == "seed-11"
    assert len(whole.choices[1].logprobs.content[0].top_logprobs) == 3
    stream = await client.chat.completions.create(model="m", messages=ASK, stream=True, **options)
    chunks = [chunk async for chunk in stream]
    told = [choice.logprobs.content[0].token for chunk in chunks for choice in chunk.choices if choice.logprobs]
    assert "".join(told[::2]) == "You said: What is "


async def test_tool_choices_are_honoured(client, claude) -> None:
    def chosen(name: str) -> dict:
        return {"type": "function", "function": {"name": name}}

    async def asked(choice: object, **more: object) -> list[str]:
        answer = await client.chat.completions.create(
            model="m", messages=ASK, tools=CHAT_TOOLS, tool_choice=choice, **more
        )
        return [call.function.name for call in answer.choices[0].message.tool_calls or []]

    assert await asked("none") == []
    assert await asked(chosen("lookup")) == ["lookup"]
    hello = [{"role": "user", "content": "Hello"}]
    must = await client.responses.create(model="m", input=hello, tools=RESPONSES_TOOLS, tool_choice="required")
    assert [item.name for item in must.output] == ["calculator"]
    tool = {"type": "tool", "name": "lookup"}
    named = await claude.messages.create(model="m", max_tokens=9, messages=ASK, tools=ANTHROPIC_TOOLS, tool_choice=tool)
    assert [(block.name, block.input) for block in named.content] == [("lookup", {"expression": ASK[0]["content"]})]


async def test_answers_follow_a_schema(client, claude) -> None:
    parsed = await client.chat.completions.parse(model="m", messages=ASK, response_format=Animal)
    assert parsed.choices[0].message.parsed == Animal(name=ASK[0]["content"], legs=7)
    response = await client.responses.parse(model="m", input="cat", text_format=Animal)
    assert response.output_parsed == Animal(name="cat", legs=7)
    message = await claude.messages.parse(model="m", max_tokens=9, messages=ASK, output_format=Animal)
    assert message.parsed_output == Animal(name=ASK[0]["content"], legs=7)


async def test_refusals_and_stop_texts_have_each_dialects_form(client, claude, provider) -> None:
    provider.rule(sp.Rule(sp.Reply(refusal="I will not."), user_contains="bomb"))
    bomb = [{"role": "user", "content": "bomb"}]
    chat = await client.chat.completions.create(model="m", messages=bomb)
    assert (chat.choices[0].message.refusal, chat.choices[0].message.content) == ("I will not.", None)
    async with client.responses.stream(model="m", input=bomb) as stream:
        response = await stream.get_final_response()
    assert response.output[0].content[0].refusal == "I will not."
    message = await claude.messages.create(model="m", max_tokens=9, messages=bomb)
    assert message.stop_reason == "refusal"
    stopped = await claude.messages.create(model="m", max_tokens=9, messages=ASK, stop_sequences=["12"])
    assert (stopped.stop_reason, stopped.stop_sequence) == ("stop_sequence", "12")


async def test_thinking_is_shown_to_who_asks(client, claude) -> None:
    budget = {"type": "enabled", "budget_tokens": 1024}
    message = await claude.messages.create(model="m", max_tokens=2000, messages=ASK, thinking=budget)
    assert message.content[0].signature == SIGNATURE
    response = await client.responses.create(model="m", input="Hi", reasoning={"effort": "low", "summary": "auto"})
    assert response.output[0].summary[0].text == "The user says: Hi"


@pytest.mark.parametrize("path", ["/chat/completions", "/messages", "/responses"])
async def test_faults_come_at_their_moment(provider, path: str) -> None:
    body = {"model": "m", "messages": ASK, "input": "Hi", "stream": True}
    provider.script(sp.Reset(before="headers"), sp.Garbage(after_chunks=3), sp.Hang("mid_stream", after_chunks=3))
    provider.script(sp.Status(529))
    async with httpx.AsyncClient(base_url=provider.base_url, timeout=0.2) as http:
        with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError)):
            await http.post(path, json=body)
        spoiled = await http.post(path, json=body)
        assert spoiled.content.count(b"data: ") > 3
        assert b"\xff\xfe" in spoiled.content
        with pytest.raises(httpx.ReadTimeout):
            await http.post(path, json=body)
        assert (await http.post(path, json=body)).status_code == 529
