"""Bodies of chat completions, as they are read and as they are refused."""

from __future__ import annotations

import contextlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_openai_requests import golden_requests, told, wanted_of

from provider_router.servicer.http.nulls import without_nulls
from shared.errors import InvalidInput

HI = {"role": "user", "content": "Hi"}
TOOL = {"type": "function", "function": {"name": "add"}}
CALL = {"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}}
PNG = "data:image/png;base64,iVBO"


def body(**fields: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [HI], **fields}


def message(**fields: Any) -> dict[str, Any]:
    return body(messages=[fields])


def part(**fields: Any) -> dict[str, Any]:
    return message(role="user", content=[fields])


def function(**fields: Any) -> dict[str, Any]:
    return body(tools=[{"type": "function", "function": fields}])


def form(**fields: Any) -> dict[str, Any]:
    return body(response_format={"type": "json_schema", "json_schema": fields})


@pytest.mark.parametrize("name", golden_requests())
def test_bodies_are_read_as_in_the_golden_file(name: str) -> None:
    golden = golden_requests()[name]
    wanted = wanted_of(golden["body"])
    assert told(wanted) == golden["wanted"]
    assert wanted.request.body is not None
    assert without_nulls(wanted.request.body.fields) == without_nulls(golden["body"])


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"messages": [HI]}, "model", "is missing"),
    ({"model": "m"}, "messages", "is missing"),
    ({"model": None, "messages": [HI]}, "model", "is missing"),
    (body(model=""), "model", "must not be empty"),
    (body(model="m" * 257), "model", "must have at most 256 characters"),
    (body(messages=[]), "messages", "must have at least 1 item"),
    (body(messages="Hi"), "messages", "must be a list"),
    (body(messages=[HI, "Hi"]), "messages[1]", "must be an object"),
    (message(content="Hi"), "messages[0].role", "must be one of system, developer, user, assistant, tool"),
    (message(role="function", content="Hi"), "messages[0].role", "must be one of"),
    (message(role=["user"], content="Hi"), "messages[0].role", "must be one of"),
    (message(role="user"), "messages[0].content", "is missing"),
    (message(role="user", content=5), "messages[0].content", "must be text or a list of parts"),
    (message(role="user", content={"type": "text"}), "messages[0].content", "must be text or a list of parts"),
    (message(role="user", content="x", name=5), "messages[0].name", "must be text"),
    (message(role="tool", content="x"), "messages[0].tool_call_id", "is missing"),
    (message(role="assistant", function_call={"name": "x"}), "messages[0].function_call", "use tools"),
    (message(role="assistant", tool_calls=[{}]), "messages[0].tool_calls[0].id", "is missing"),
    (message(role="assistant", tool_calls=[{"id": "a"}]), "messages[0].tool_calls[0].function", "is missing"),
    (
        message(role="assistant", tool_calls=[{"id": "a", "function": {"name": "x", "arguments": {}}}]),
        "messages[0].tool_calls[0].function.arguments",
        "must be text",
    ),
    (part(), "messages[0].content[0].type", "is missing"),
    (part(type="video_url"), "messages[0].content[0].type", "must be one of text, image_url"),
    (part(type="text"), "messages[0].content[0].text", "is missing"),
    (part(type="image_url", image_url="x"), "messages[0].content[0].image_url", "must be an object"),
    (
        part(type="image_url", image_url={"url": "file:///etc/passwd"}),
        "messages[0].content[0].image_url.url",
        "must be an https address",
    ),
    (
        part(type="image_url", image_url={"url": "data:image/png,x"}),
        "messages[0].content[0].image_url.url",
        "must be a data URL with a media type and base64",
    ),
    (
        part(type="input_audio", input_audio={"data": "x", "format": "ogg"}),
        "messages[0].content[0].input_audio.format",
        "must be one of wav, mp3",
    ),
    (
        part(type="input_audio", input_audio={"data": "https://x.test/a.wav", "format": "wav"}),
        "messages[0].content[0].input_audio.data",
        "must be bytes in base64, and no address",
    ),
    (part(type="file", file={}), "messages[0].content[0].file", "must have file_data or file_id"),
    (
        part(type="file", file={"file_data": "https://x.test/a.pdf"}),
        "messages[0].content[0].file.file_data",
        "must be bytes in base64, and no address",
    ),
    (body(temperature="hot"), "temperature", "must be a number"),
    (body(temperature=True), "temperature", "must be a number"),
    (body(temperature=2.1), "temperature", "must be from 0 to 2"),
    (body(top_p=-0.1), "top_p", "must be from 0 to 1"),
    (body(seed=1.5), "seed", "must be a whole number"),
    (body(seed=2**63), "seed", "must be from"),
    (body(max_tokens=0), "max_tokens", "must be from 1 to"),
    (body(max_tokens=True), "max_tokens", "must be a whole number"),
    (body(n=0), "n", "must be from 1 to 128"),
    (body(stop=[1]), "stop[0]", "must be text"),
    (body(stop=["x"] * 17), "stop", "must have at most 16 items"),
    (body(logit_bias={"x": 1}), "logit_bias", "must have ids of tokens"),
    (body(logit_bias={"5": 101}), "logit_bias", "must be from -100 to 100"),
    (body(top_logprobs=2), "top_logprobs", "needs logprobs to be true"),
    (body(logprobs=True, top_logprobs=21), "top_logprobs", "must be from 0 to 20"),
    (body(stream="yes"), "stream", "must be true or false"),
    (body(stream_options={"include_usage": 1}), "stream_options.include_usage", "must be true or false"),
    (body(tools=[{}]), "tools[0].type", "is missing"),
    (body(tools=[{"type": "function"}]), "tools[0].function", "is missing"),
    (function(parameters={}), "tools[0].function.name", "is missing"),
    (function(name="x", parameters=[]), "tools[0].function.parameters", "must be an object"),
    (function(name="x", strict="yes"), "tools[0].function.strict", "must be true or false"),
    (body(tool_choice="any", tools=[TOOL]), "tool_choice", "must be one of auto, none, required"),
    (body(tool_choice="required"), "tool_choice", "needs a tool"),
    (
        body(tool_choice={"type": "function", "function": {"name": "now"}}, tools=[TOOL]),
        "tool_choice",
        "names no tool that is offered",
    ),
    (
        body(tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "none", "tools": [TOOL]}}),
        "tool_choice.allowed_tools.mode",
        "must be one of auto, required",
    ),
    (body(response_format="json"), "response_format", "must be an object"),
    (form(schema={}), "response_format.json_schema.name", "is missing"),
    (form(name="x", schema=[]), "response_format.json_schema.schema", "must be an object"),
    (body(functions=[{"name": "x"}]), "functions", "use tools"),
    (body(n_predict=100_000), "n_predict", "use max_completion_tokens"),
    (body(models=["other"]), "models", "the router chooses among models"),
    (body(api_base="http://x"), "api_base", "providers are the operator's"),
    (body(Max_Tokens=100_000), "Max_Tokens", "use max_completion_tokens"),
    (body(MODEL="other"), "MODEL", "write model"),
    (body(N_Predict=100_000), "N_Predict", "use max_completion_tokens"),
    (body(service_tier="priority"), "service_tier", "cost more"),
    (body(speed="fast"), "speed", "must be standard: others cost more"),
    (body(Speed="fast"), "Speed", "write speed"),
    (body(modalities=["text", "audio"], audio={"voice": "ash"}), "modalities", "must be text alone: others cost more"),
    (body(inference_geo="us"), "inference_geo", "the operator's to say"),
    (body(workspace_id="w"), "workspace_id", "the operator's to say"),
    (body(store=True), "store", "nothing is stored here"),
    (body(min_tokens=100_000), "min_tokens", "the one limit of an answer"),
    (body(max_output_tokens=100_000), "max_output_tokens", "use max_completion_tokens"),
    (body(maxOutputTokens=100_000), "maxOutputTokens", "use max_completion_tokens"),
    (body(max_new_length=100_000), "max_new_length", "use max_completion_tokens"),
    (body(extra_body={"x": 1}), "extra_body", "send its fields in its place"),
    (body(options={"num_ctx": 1, "num_predict": 100_000}), "options.num_predict", "use max_completion_tokens"),
    (body(x={"y": [{"Max_Tokens": 9}]}), "x.y[0].Max_Tokens", "use max_completion_tokens"),
    (body(x={"inference_geo": "us"}), "x.inference_geo", "the operator's to say"),
    (body(x={"models": ["dearer"]}), "x.models", "the router chooses among models"),
    (body(x={"speed": "fast"}), "x.speed", "cost more"),
    (message(role="user", content="x", num_predict=9), "messages[0].num_predict", "use max_completion_tokens"),
    (body(**{"x " * 1000: 1}), ("x " * 1000)[:256], "has a name that no field of the dialect has"),
    (body(**{"x\r\ny: z": 1}), "x\r\ny: z", "has a name that no field of the dialect has"),
    (body(**{f"x{i}": 1 for i in range(40)}), "x32", "is one of more than 32 fields that nobody knows"),
]


@pytest.mark.parametrize(("wrong", "field", "description"), WRONG)
def test_what_is_wrong_is_said_with_its_place(wrong: dict[str, Any], field: str, description: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        wanted_of(wrong)
    assert caught.value.reason == "REQUEST_INVALID"
    assert caught.value.violations[0].field == field
    assert description in caught.value.violations[0].description


@pytest.mark.parametrize(
    "fields",
    [
        {"options": {"num_ctx": 8192, "repeat_penalty": 1.1}},
        {"skip_special_tokens": True, "max_context_tokens": 9, "min_p": 0.1},
        {
            "guided_json": {
                "properties": {"speed": {"type": "string", "minLength": 3}, "max_tokens": {"type": "integer"}}
            }
        },
        {"metadata": {"max_tokens": "9", "speed": "fast"}, "speed": "standard", "modalities": ["text"]},
    ],
)
def test_fields_that_only_sound_like_such_pass(fields: dict[str, Any]) -> None:
    assert wanted_of(body(**fields)).request.body is not None


def test_nulls_are_left_out_where_they_say_that_nothing_is_given() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    tool = {"type": "function", "function": {"name": "add", "parameters": {"default": None}}}
    calls = {"role": "assistant", "content": None, "tool_calls": [call]}
    plain = body(messages=[HI, calls, HI], tools=[tool])
    assert wanted_of(plain).request.body.fields is plain
    dumped = [HI, {**calls, "refusal": None, "audio": None, "annotations": None}, {**HI, "name": None}]
    strict = {**tool, "function": {**tool["function"], "strict": None, "description": None}}
    assert wanted_of(body(messages=dumped, tools=[strict])).request.body.fields == plain


@pytest.mark.parametrize(
    ("dumped", "meant"),
    [
        ({**HI, "refusal": None}, HI),
        ({"role": "tool", "content": "x", "tool_call_id": "a", "name": None}, ...),
        ({"role": "assistant", "tool_calls": [CALL], "refusal": None}, ...),
        ({"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "add", "arguments": None}}]}, ...),
        (
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "type": "custom", "custom": {"name": "x", "input": None}}],
            },
            ...,
        ),
        ({"role": "user", "content": [{"type": "text", "text": "x", "cache_control": None}]}, ...),
        ({"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG, "detail": None}}]}, ...),
        ({"role": "user", "content": [{"type": "file", "file": {"file_id": "f", "filename": None}}]}, ...),
    ],
)
def test_no_null_of_a_message_reaches_anybody(dumped: dict[str, Any], meant: Any) -> None:
    said = wanted_of(body(messages=[HI, dumped])).request.body.fields["messages"][1]
    assert "null" not in orjson.dumps(said).decode()
    assert said == (without_nulls(dumped) if meant is ... else meant)


def test_several_mistakes_are_told_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        wanted_of({"messages": [], "temperature": 5, "n": "x"})
    assert [each.field for each in caught.value.violations] == ["messages", "temperature", "n", "model"]
    assert "temperature must be from 0 to 2" in caught.value.message


ANY = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
FIELDS = sorted({name for golden in golden_requests().values() for name in golden["body"]})
INNER = ["role", "content", "type", "text", "tool_calls", "function", "name", "json_schema", "image_url", "url", "id"]
SHAPED = st.recursive(
    ANY | st.sampled_from(["user", "assistant", "tool", "function", "json_schema", "text", "image_url", "file"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(INNER), inner, max_size=5),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(FIELDS), SHAPED, max_size=6), st.booleans())
def test_no_body_raises_anything_else(fields: dict[str, Any], whole: bool) -> None:
    with contextlib.suppress(InvalidInput):
        wanted = wanted_of({**body(), **fields} if whole else fields)
        orjson.dumps(told(wanted))
