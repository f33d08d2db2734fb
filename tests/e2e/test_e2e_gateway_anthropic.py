"""The usual programs of the `anthropic` package against the gateway: only base URL, key and model are Nexus's."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle

import anthropic
import pytest
from gateway_fixtures import BREAKING, LOCAL_MODEL, MODELS, PICTURE, SEEN, TYPES, Gateway
from pydantic import BaseModel

from shared.testing.scripted_provider import Reply, Rule, Status, Usage
from shared.testing.scripted_provider.agent import SIGNATURE

SUM = "What is 12*12, and what time is it?"
SCHEMA = {"type": "object", "properties": {"expression": {"type": "string"}}, "required": ["expression"]}
TOOLS = [
    {"name": "calculator", "description": "Computes.", "input_schema": SCHEMA},
    {"name": "get_current_time", "input_schema": {"type": "object", "properties": {}}},
]
RESULTS = {"calculator": "144", "get_current_time": "noon"}
ACROSS = pytest.mark.parametrize("model", MODELS.values())
THINK = {"type": "enabled", "budget_tokens": 1024}


class Animal(BaseModel):
    """An answer's shape."""

    name: str
    legs: int


@pytest.fixture(scope="module")
def client(gateway: Gateway) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, timeout=20) as made:
        yield made


def asked(content: object, model: str = MODELS["messages"], **more: object) -> dict:
    return {"model": model, "max_tokens": 4000, "messages": [{"role": "user", "content": content}], **more}


@ACROSS
def test_messages(client: anthropic.Anthropic, model: str) -> None:
    answer = client.messages.create(**asked("Hello", model, system="Be brief."))
    assert [block.type for block in answer.content] == ["text"]
    assert answer.content[0].text == "You said: Hello"
    assert answer.stop_reason == "end_turn"
    assert min(answer.usage.input_tokens, answer.usage.output_tokens) > 0


@ACROSS
def test_messages_streamed(client: anthropic.Anthropic, model: str) -> None:
    with client.messages.stream(**asked("Hello", model)) as stream:
        assert "".join(stream.text_stream) == "You said: Hello"
        answer = stream.get_final_message()
    assert answer.stop_reason == "end_turn"
    assert min(answer.usage.input_tokens, answer.usage.output_tokens) > 0
    kinds = [event.type for event in client.messages.create(**asked("Hello", model), stream=True)]
    assert (kinds[0], kinds[-2:]) == ("message_start", ["message_delta", "message_stop"])


@ACROSS
@pytest.mark.parametrize("streamed", [False, True])
def test_a_loop_over_parallel_tools(client: anthropic.Anthropic, model: str, streamed) -> None:
    def answered(messages: list) -> anthropic.types.Message:
        fields = {"model": model, "max_tokens": 4000, "messages": messages, "tools": TOOLS}
        if not streamed:
            return client.messages.create(**fields)
        with client.messages.stream(**fields) as stream:
            return stream.get_final_message()

    messages: list = [{"role": "user", "content": SUM}]
    first = answered(messages)
    calls = [block for block in first.content if block.type == "tool_use"]
    assert [(c.name, c.input) for c in calls] == [("calculator", {"expression": "12*12"}), ("get_current_time", {})]
    assert first.stop_reason == "tool_use"
    results = [{"type": "tool_result", "tool_use_id": c.id, "content": RESULTS[c.name]} for c in calls]
    messages += [{"role": "assistant", "content": first.content}, {"role": "user", "content": results}]
    second = answered(messages)
    assert "calculator says 144; get_current_time says noon" in second.content[0].text


@ACROSS
@pytest.mark.parametrize("streamed", [False, True])
def test_tools_that_the_client_runs_itself(client: anthropic.Anthropic, model: str, streamed) -> None:
    """It would rather continue a conversation that its provider has stored, and has to be told that nobody does."""

    @anthropic.beta_tool
    def calculator(expression: str) -> str:
        """Compute an expression."""
        return "144" if expression == "12*12" else "?"

    messages = [{"role": "user", "content": "What is 12*12?"}]
    runner = client.beta.messages.tool_runner(
        model=model, max_tokens=1000, tools=[calculator], messages=messages, stream=streamed
    )
    assert runner.until_done().content[0].text == "Here is what the tools found: calculator says 144."


@ACROSS
@pytest.mark.parametrize(
    ("choice", "called"),
    [
        ({"type": "none"}, []),
        ({"type": "any", "disable_parallel_tool_use": True}, ["calculator"]),
        ({"type": "tool", "name": "get_current_time"}, ["get_current_time"]),
    ],
)
def test_tool_choices(client: anthropic.Anthropic, model: str, choice: dict, called: list[str]) -> None:
    answer = client.messages.create(**asked("2*2 please", model, tools=TOOLS, tool_choice=choice))
    assert [block.name for block in answer.content if block.type == "tool_use"] == called


@ACROSS
def test_answers_of_a_shape(client: anthropic.Anthropic, model: str) -> None:
    answer = client.messages.parse(**asked("cat", model), output_format=Animal)
    assert answer.parsed_output == Animal(name="cat", legs=7)


def test_thinking_with_its_signature(client: anthropic.Anthropic, gateway: Gateway) -> None:
    whole = client.messages.create(**asked("Hello", thinking=THINK))
    with client.messages.stream(**asked("Hello", thinking=THINK)) as stream:
        kinds = [event.type for event in stream]
        streamed = stream.get_final_message()
    for answer in (whole, streamed):
        assert [block.type for block in answer.content] == ["thinking", "text"]
        assert answer.content[0].thinking == "The user says: Hello"
        assert answer.content[0].signature == SIGNATURE
    assert {"thinking", "signature"} <= set(kinds)
    messages = [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": whole.content},
        {"role": "user", "content": "Again"},
    ]
    client.messages.create(model=MODELS["messages"], max_tokens=4000, messages=messages, thinking=THINK)
    assert gateway.last_request().body["messages"][1]["content"][0]["signature"] == SIGNATURE


def test_thinking_of_a_provider_of_another_dialect_is_a_block_of_its_own(client: anthropic.Anthropic) -> None:
    with client.messages.stream(**asked("Hello", MODELS["chat"], thinking=THINK)) as stream:
        answer = stream.get_final_message()
    assert [block.type for block in answer.content] == ["thinking", "text"]
    assert answer.content[1].text == "You said: Hello"


@ACROSS
def test_vision_and_documents(client: anthropic.Anthropic, model: str, gateway: Gateway) -> None:
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PICTURE}},
        {"type": "text", "text": "Look"},
    ]
    answer = client.messages.create(**asked(content, model))
    assert SEEN in answer.content[0].text
    assert [seen.byte_count for seen in gateway.last_request().attachments] == [70, 70]


def test_tokens_are_counted(client: anthropic.Anthropic) -> None:
    few = client.messages.count_tokens(model=MODELS["messages"], messages=asked("Hello")["messages"])
    many = client.messages.count_tokens(model=MODELS["messages"], messages=asked("Hello " * 500)["messages"])
    assert 0 < few.input_tokens < many.input_tokens


@ACROSS
def test_counts_come_through(client: anthropic.Anthropic, model: str, gateway: Gateway) -> None:
    usage = Usage(100, 50, cached_input_tokens=40)
    gateway.provider.rule(Rule(Reply("Counted.", usage=usage), user_contains="count me"))
    whole = client.messages.create(**asked("count me", model))
    with client.messages.stream(**asked("count me", model)) as stream:
        streamed = stream.get_final_message()
    for answer in (whole, streamed):
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (60, 50)
        assert answer.usage.cache_read_input_tokens == 40


def test_prompt_caching_marks_and_unknown_fields_reach_a_provider_of_the_dialect(
    client: anthropic.Anthropic, gateway: Gateway
) -> None:
    mark = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
    system = [{"type": "text", "text": "Be brief.", **mark}]
    client.messages.create(**asked("Hello", system=system), extra_body={"brand_new": [1]})
    body = gateway.last_request().body
    assert body["system"] == system
    assert body["brand_new"] == [1]
    raw = client.messages.with_raw_response.create(**asked("Hello", MODELS["chat"], system=system))
    assert "cache_control" in raw.headers["x-nexus-warnings"]


@ACROSS
def test_stop_sequences(client: anthropic.Anthropic, model: str) -> None:
    if model == MODELS["responses"]:
        with pytest.raises(anthropic.BadRequestError, match="stop"):
            client.messages.create(**asked("Hello", model, stop_sequences=["lo"]))
        return
    answer = client.messages.create(**asked("Hello", model, stop_sequences=["lo"]))
    assert answer.content[0].text == "You said: Hel"


def test_models(client: anthropic.Anthropic) -> None:
    assert set(MODELS.values()) <= {model.id for model in client.models.list()}


def test_the_local_model(client: anthropic.Anthropic) -> None:
    whole = client.messages.create(**asked("Hello", LOCAL_MODEL) | {"max_tokens": 8})
    assert whole.content[0].text
    with client.messages.stream(**asked("Hello", LOCAL_MODEL) | {"max_tokens": 8}) as stream:
        assert "".join(stream.text_stream)


class TestErrors:
    def test_a_wrong_key(self, gateway: Gateway) -> None:
        with (
            anthropic.Anthropic(base_url=gateway.url, api_key="sk-wrong") as stranger,
            pytest.raises(anthropic.AuthenticationError),
        ):
            stranger.messages.create(**asked("Hello"))

    def test_a_bearer_token_is_a_key_too(self, gateway: Gateway) -> None:
        with anthropic.Anthropic(base_url=gateway.url, auth_token=gateway.key, api_key=None) as bearer:
            assert bearer.messages.create(**asked("Hello")).content

    def test_an_unknown_model(self, client: anthropic.Anthropic) -> None:
        with pytest.raises(anthropic.NotFoundError) as caught:
            client.messages.create(**asked("Hello", "nobody/knows"))
        assert caught.value.body["error"]["type"] == "not_found_error"
        assert caught.value.request_id

    def test_a_bad_request_names_its_field(self, client: anthropic.Anthropic) -> None:
        with pytest.raises(anthropic.BadRequestError, match=r"messages\[0\]\.content\[0\]"):
            client.messages.create(**asked([{"type": "text", "text": 7}]))

    @ACROSS
    def test_a_request_that_the_provider_refuses(self, client: anthropic.Anthropic, model: str) -> None:
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(**asked("refuse the request", model))

    @pytest.mark.parametrize("provider", ["chatty", "claudish", "responsive"])
    def test_limits_are_told_and_waited_for(self, client: anthropic.Anthropic, gateway: Gateway, provider: str) -> None:
        gateway.fails(f"{provider}/faulty-9", Status(429, retry_after="3000"))
        with pytest.raises(anthropic.RateLimitError) as caught:
            client.with_options(max_retries=0).messages.create(**asked("Hello", f"{provider}/faulty-9"))
        assert 2900 <= float(caught.value.response.headers["retry-after"]) <= 3000
        gateway.fails(f"{provider}/faulty-10", Status(429, retry_after="1"))
        answer = client.with_options(max_retries=1).messages.create(**asked("Hello", f"{provider}/faulty-10"))
        assert answer.content[0].text == "You said: Hello"

    def test_an_overloaded_provider_is_tried_again(self, client: anthropic.Anthropic, gateway: Gateway) -> None:
        model = "claudish/faulty-11"
        gateway.fails(model, *[Status(529)] * 4)
        with pytest.raises(anthropic.InternalServerError):
            client.with_options(max_retries=0).messages.create(**asked("Hello", model))
        answer = client.with_options(max_retries=2).messages.create(**asked("Hello", model))
        assert answer.content[0].text == "You said: Hello"

    # Every fault in every dialect: tests/integration/test_gateway_faults.py.
    @pytest.mark.parametrize(("words", "provider"), list(zip(BREAKING, cycle(TYPES), strict=False)))
    def test_a_stream_that_breaks_is_an_error(self, client: anthropic.Anthropic, provider: str, words: str) -> None:
        model = f"{provider}/faulty-{4 + list(BREAKING).index(words)}"
        events = []
        with pytest.raises(anthropic.APIError), client.messages.create(**asked(words, model), stream=True) as stream:
            events.extend(stream)
        kinds = {event.type for event in events}
        assert "content_block_delta" in kinds
        assert "message_stop" not in kinds
