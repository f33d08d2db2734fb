"""The usual programs of the `openai` package against the gateway: only base URL, key and model are those of Nexus."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import openai
import pytest
from gateway_fixtures import BREAKING, EMBEDDER, LOCAL_EMBEDDER, LOCAL_MODEL, MODELS, PICTURE, SEEN, TYPES, Gateway
from pydantic import BaseModel

from shared.testing.scripted_provider import Reply, Rule, Status, Usage

SUM = "What is 12*12, and what time is it?"
PARAMETERS = {
    "type": "object",
    "properties": {"expression": {"type": "string"}},
    "required": ["expression"],
    "additionalProperties": False,
}
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}
CALCULATOR = {"name": "calculator", "parameters": PARAMETERS}
CLOCK = {"name": "get_current_time", "parameters": NOTHING}
CHAT_TOOLS = [{"type": "function", "function": tool} for tool in (CALCULATOR, CLOCK)]
RESPONSES_TOOLS = [{"type": "function", "strict": False, **tool} for tool in (CALCULATOR, CLOCK)]
RESULTS = {"calculator": "144", "get_current_time": "noon"}
ACROSS = pytest.mark.parametrize("model", MODELS.values())


class Animal(BaseModel):
    """An answer's shape."""

    name: str
    legs: int


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=gateway.openai_url, api_key=gateway.key, timeout=20) as made:
        yield made


def user(content: object) -> list[dict]:
    return [{"role": "user", "content": content}]


@ACROSS
def test_chat(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=user("Hello"), temperature=0, max_tokens=50)
    assert answer.choices[0].message.content == "You said: Hello"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens > 0


@ACROSS
def test_chat_streamed(client: openai.OpenAI, model: str) -> None:
    stream = client.chat.completions.create(
        model=model, messages=user("Hello"), stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "You said: Hello"
    assert [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason] == ["stop"]
    assert chunks[-1].usage.completion_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


@ACROSS
def test_chat_without_stream_options_has_no_usage_and_no_empty_choices(client: openai.OpenAI, model: str) -> None:
    chunks = list(client.chat.completions.create(model=model, messages=user("Hello"), stream=True))
    assert all(chunk.choices for chunk in chunks)
    assert not any(chunk.usage for chunk in chunks)


@ACROSS
def test_a_loop_over_parallel_tools(client: openai.OpenAI, model: str) -> None:
    messages = user(SUM)
    first = client.chat.completions.create(model=model, messages=messages, tools=CHAT_TOOLS)
    assert first.choices[0].finish_reason == "tool_calls"
    calls = first.choices[0].message.tool_calls
    assert [(c.function.name, c.function.arguments) for c in calls] == [
        ("calculator", '{"expression":"12*12"}'),
        ("get_current_time", "{}"),
    ]
    messages.append(first.choices[0].message)
    messages += [{"role": "tool", "tool_call_id": c.id, "content": RESULTS[c.function.name]} for c in calls]
    second = client.chat.completions.create(model=model, messages=messages, tools=CHAT_TOOLS)
    assert (
        second.choices[0].message.content
        == "Here is what the tools found: calculator says 144; get_current_time says noon."
    )


@ACROSS
def test_streamed_tool_calls_have_whole_arguments(client: openai.OpenAI, model: str) -> None:
    tools = [openai.pydantic_function_tool(Animal, name="note_animal")]
    with client.chat.completions.stream(
        model=model, messages=user("cat"), tools=tools, tool_choice="required"
    ) as stream:
        events = list(stream)
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls[0].function.parsed_arguments == Animal(name="cat", legs=7)
    assert sum(event.type == "tool_calls.function.arguments.done" for event in events) == 1


@ACROSS
@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ("none", []),
        ({"type": "function", "function": {"name": "get_current_time"}}, ["get_current_time"]),
        ("required", ["calculator"]),
    ],
)
def test_tool_choices(client: openai.OpenAI, model: str, choice: object, called: list[str]) -> None:
    answer = client.chat.completions.create(
        model=model,
        messages=user("2*2 please"),
        tools=CHAT_TOOLS,
        tool_choice=choice,
        parallel_tool_calls=False,
    )
    assert [call.function.name for call in answer.choices[0].message.tool_calls or []] == called


@ACROSS
def test_chat_parsed(client: openai.OpenAI, model: str) -> None:
    answer = client.chat.completions.parse(model=model, messages=user("cat"), response_format=Animal)
    assert answer.choices[0].message.parsed == Animal(name="cat", legs=7)


@ACROSS
def test_chat_vision_and_files(client: openai.OpenAI, model: str, gateway: Gateway) -> None:
    content = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{PICTURE}"}},
    ]
    answer = client.chat.completions.create(model=model, messages=user(content))
    assert SEEN in answer.choices[0].message.content
    assert [seen.byte_count for seen in gateway.last_request().attachments] == [70, 70]


def test_choices_logprobs_and_seed_reach_a_provider_of_the_dialect(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=MODELS["chat"], messages=user("Hello"), n=2, logprobs=True, top_logprobs=2, seed=7, stop=["lo"]
    )
    assert [choice.message.content for choice in answer.choices] == ["You said: Hel"] * 2
    assert answer.system_fingerprint == "seed-7"
    assert len(answer.choices[1].logprobs.content[0].top_logprobs) == 2


@pytest.mark.parametrize("model", [MODELS["messages"], MODELS["responses"]])
def test_what_a_provider_has_no_place_for_is_refused_or_dropped_with_a_warning(
    client: openai.OpenAI, gateway: Gateway, model: str
) -> None:
    asked = {"model": model, "messages": user("Hello"), "seed": 7}
    before = len(gateway.provider.requests)
    with pytest.raises(openai.BadRequestError, match="seed"):
        client.chat.completions.create(**asked)
    assert len(gateway.provider.requests) == before
    raw = client.chat.completions.with_raw_response.create(**asked, extra_headers={"x-nexus-drop-unsupported": "true"})
    assert raw.parse().choices[0].message.content == "You said: Hello"
    assert "seed" in raw.headers["x-nexus-warnings"]


def test_errors_name_the_field_and_the_decision(client: openai.OpenAI) -> None:
    lost = {"model": MODELS["messages"], "messages": user("Hello"), "seed": 7}
    refused = {"model": MODELS["chat"], "messages": user("Please refuse the request")}
    for asked, param, reason in ((lost, "seed", "UNSUPPORTED_CAPABILITY"), (refused, None, "PROVIDER_REFUSED_REQUEST")):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**asked)
        headers = caught.value.response.headers
        assert (caught.value.param, headers["x-nexus-reason"]) == (param, reason)
        assert len(headers["x-nexus-decision-id"]) == 36


def test_a_limit_that_the_model_cannot_reach_is_told(client: openai.OpenAI, gateway: Gateway) -> None:
    for model in MODELS.values():
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=user("Hello"), max_completion_tokens=100_000
        )
        assert raw.headers["x-nexus-warnings"] == "limited: output_tokens=8000"
        assert 8000 in gateway.last_request().body.values()
        assert raw.parse().model == "m"


def test_embeddings_follow_the_routing_headers_or_refuse_them(client: openai.OpenAI) -> None:
    create = client.embeddings.with_raw_response.create
    told = create(model=LOCAL_EMBEDDER, input="a", extra_headers={"x-nexus-max-cost-usd": "0.01"}).headers
    assert (told["x-nexus-model"], told["x-nexus-attempts"], told["x-nexus-cost-usd"]) == (
        LOCAL_EMBEDDER,
        "1",
        "0.000000",
    )
    assert len(told["x-nexus-decision-id"]) == 36
    # Nobody says what the other one costs.
    for headers, reason in (
        ({"x-nexus-max-cost-usd": "0.01"}, "PRICE_UNKNOWN"),
        ({"x-nexus-tier": "fast"}, "REQUEST_INVALID"),
    ):
        with pytest.raises(openai.APIStatusError) as caught:
            create(model=EMBEDDER, input="a", extra_headers=headers)
        assert caught.value.response.headers["x-nexus-reason"] == reason


def test_unknown_fields_and_the_users_own_words_pass_unchanged(client: openai.OpenAI, gateway: Gateway) -> None:
    client.chat.completions.create(
        model=MODELS["chat"],
        messages=user("Hello"),
        service_tier="flex",
        metadata={"trace": "7"},
        extra_body={"brand_new": {"deep": [1, 2]}},
    )
    body = gateway.last_request().body
    assert body["model"] == "m"
    assert (body["service_tier"], body["metadata"], body["brand_new"]) == ("flex", {"trace": "7"}, {"deep": [1, 2]})


@ACROSS
def test_responses(client: openai.OpenAI, model: str) -> None:
    answer = client.responses.create(model=model, instructions="Be brief.", input="Hello", max_output_tokens=50)
    assert answer.output_text == "You said: Hello"
    assert answer.status == "completed"
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens > 0


@ACROSS
def test_responses_streamed(client: openai.OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input="Hello") as stream:
        events = list(stream)
        answer = stream.get_final_response()
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == "You said: Hello"
    assert events[-1].type == "response.completed"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert answer.output_text == "You said: Hello"
    assert answer.usage.output_tokens > 0


@ACROSS
@pytest.mark.parametrize("streamed", [False, True])
def test_a_loop_over_tools_with_responses(client: openai.OpenAI, model: str, streamed) -> None:
    def answered(items: list) -> object:
        if not streamed:
            return client.responses.create(model=model, input=items, tools=RESPONSES_TOOLS)
        with client.responses.stream(model=model, input=items, tools=RESPONSES_TOOLS) as stream:
            return stream.get_final_response()

    items: list = user(SUM)
    first = answered(items)
    calls = [item for item in first.output if item.type == "function_call"]
    assert [(c.name, c.arguments) for c in calls] == [
        ("calculator", '{"expression":"12*12"}'),
        ("get_current_time", "{}"),
    ]
    items += first.output
    items += [{"type": "function_call_output", "call_id": c.call_id, "output": RESULTS[c.name]} for c in calls]
    assert "calculator says 144; get_current_time says noon" in answered(items).output_text


@ACROSS
def test_responses_parsed_with_vision(client: openai.OpenAI, model: str, gateway: Gateway) -> None:
    image = {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "low"}
    content = [{"type": "input_text", "text": "cat"}, image]
    answer = client.responses.parse(model=model, input=user(content), text_format=Animal)
    assert answer.output_parsed == Animal(name="cat", legs=7)
    assert str(gateway.last_request().attachments[0]).startswith(SEEN)


@ACROSS
def test_refusals_and_counts_come_through(client: openai.OpenAI, model: str, gateway: Gateway) -> None:
    usage = Usage(100, 50, cached_input_tokens=40, reasoning_tokens=20)
    gateway.provider.rule(Rule(Reply(refusal="I will not.", usage=usage), user_contains="refuse me"))
    answer = client.responses.create(model=model, input="refuse me")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (100, 50)
    assert answer.usage.input_tokens_details.cached_tokens == 40
    assert answer.usage.output_tokens_details.reasoning_tokens == 20
    assert "I will not." in answer.to_json()
    chat = client.chat.completions.create(model=model, messages=user("refuse me"))
    assert "I will not." in (chat.choices[0].message.refusal or chat.choices[0].message.content)
    assert chat.usage.prompt_tokens_details.cached_tokens == 40
    assert chat.usage.completion_tokens_details.reasoning_tokens == 20


@pytest.mark.parametrize("embedder", [EMBEDDER, LOCAL_EMBEDDER])
def test_embeddings(client: openai.OpenAI, embedder: str) -> None:
    answer = client.embeddings.create(model=embedder, input=["a b c", "c b a"])
    assert [len(each.embedding) for each in answer.data] == [384, 384]
    floats = client.embeddings.create(model=embedder, input="a b c", encoding_format="float")
    assert floats.data[0].embedding == pytest.approx(answer.data[0].embedding, abs=1e-4)
    assert answer.usage.prompt_tokens > 0


def test_models(client: openai.OpenAI) -> None:
    names = {model.id for model in client.models.list()}
    assert {*MODELS.values(), EMBEDDER, LOCAL_MODEL} <= names
    assert client.models.retrieve(MODELS["chat"]).id == MODELS["chat"]


@pytest.mark.parametrize("model", [LOCAL_MODEL, "nexus/auto"])
def test_the_local_model_and_the_routers_own_choice(client: openai.OpenAI, model: str) -> None:
    raw = client.chat.completions.with_raw_response.create(model=model, messages=user("Hello"), max_tokens=8)
    assert raw.parse().choices[0].message.content
    assert raw.headers["x-nexus-decision-id"]
    stream = client.chat.completions.create(model=model, messages=user("Hello"), max_tokens=8, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)


class TestErrors:
    def test_a_wrong_key(self, gateway: Gateway) -> None:
        with openai.OpenAI(base_url=gateway.openai_url, api_key="sk-wrong") as stranger:
            with pytest.raises(openai.AuthenticationError):
                stranger.chat.completions.create(model=MODELS["chat"], messages=user("Hello"))
            with pytest.raises(openai.AuthenticationError):
                stranger.models.list()

    def test_an_unknown_model(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.NotFoundError) as caught:
            client.chat.completions.create(model="nobody/knows", messages=user("Hello"))
        assert caught.value.code == "model_not_found"
        assert caught.value.request_id

    def test_a_bad_request_names_its_field(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=MODELS["chat"], messages=user([{"type": "text", "text": 7}]))
        assert caught.value.param == "messages[0].content[0].text"
        assert caught.value.type == "invalid_request_error"

    @ACROSS
    def test_a_request_that_the_provider_refuses(self, client: openai.OpenAI, model: str) -> None:
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model=model, input="refuse the request")

    @pytest.mark.parametrize("provider", ["chatty", "claudish", "responsive"])
    def test_a_limit_is_waited_for(self, client: openai.OpenAI, gateway: Gateway, provider: str) -> None:
        model = f"{provider}/faulty-0"
        gateway.fails(model, Status(429, retry_after="1"))
        answer = client.with_options(max_retries=1).chat.completions.create(model=model, messages=user("Hello"))
        assert answer.choices[0].message.content == "You said: Hello"

    @pytest.mark.parametrize("provider", ["chatty", "claudish", "responsive"])
    def test_a_limit_is_told_to_who_does_not_wait(self, client: openai.OpenAI, gateway: Gateway, provider: str) -> None:
        model = f"{provider}/faulty-1"
        gateway.fails(model, Status(429, retry_after="3000"))
        with pytest.raises(openai.RateLimitError) as caught:
            client.with_options(max_retries=0).chat.completions.create(model=model, messages=user("Hello"))
        assert 2900 <= float(caught.value.response.headers["retry-after"]) <= 3000

    def test_a_provider_that_fails_is_tried_again(self, client: openai.OpenAI, gateway: Gateway) -> None:
        model = "chatty/faulty-2"
        gateway.fails(model, *[Status(500)] * 2)
        with pytest.raises(openai.InternalServerError):
            client.with_options(max_retries=0).chat.completions.create(model=model, messages=user("Hello"))
        gateway.fails("chatty/faulty-3", *[Status(500)] * 2)
        answer = client.with_options(max_retries=1).chat.completions.create(
            model="chatty/faulty-3", messages=user("Hello")
        )
        assert answer.choices[0].message.content == "You said: Hello"

    def test_a_client_that_waits_no_longer(self, client: openai.OpenAI, gateway: Gateway) -> None:
        gateway.provider.rule(Rule(Reply("slow", chunk_delay_s=5), user_contains="take five"))
        left = gateway.provider.disconnects
        with pytest.raises(openai.APITimeoutError):
            client.with_options(max_retries=0, timeout=0.3).chat.completions.create(
                model=MODELS["chat"], messages=user("take five")
            )
        gateway.wait_for(lambda: gateway.provider.disconnects > left)

    # Every fault in every dialect: tests/integration/test_gateway_faults.py.
    @pytest.mark.parametrize(("words", "provider"), list(zip(BREAKING, cycle(TYPES), strict=False)))
    def test_a_stream_that_breaks_is_an_error(self, client: openai.OpenAI, provider: str, words: str) -> None:
        model = f"{provider}/faulty-{4 + list(BREAKING).index(words)}"
        chunks, events = [], []
        with (
            pytest.raises(openai.APIError),
            client.chat.completions.create(model=model, messages=user(words), stream=True) as stream,
        ):
            chunks.extend(stream)
        assert any(chunk.choices[0].delta.content for chunk in chunks)
        assert not any(chunk.choices[0].finish_reason for chunk in chunks)
        with pytest.raises(openai.APIError), client.responses.create(model=model, input=words, stream=True) as stream:
            events.extend(stream)
        assert "response.output_text.delta" in {event.type for event in events}
        assert "response.completed" not in {event.type for event in events}
