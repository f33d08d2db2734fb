"""The scripted provider's pure parts: scripts, the small agent, dialects, steps, embeddings."""

from __future__ import annotations

import itertools
import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.testing import scripted_provider as sp
from shared.testing.scripted_provider import agent
from shared.testing.scripted_provider.anthropic_dialect import AnthropicDialect
from shared.testing.scripted_provider.openai_dialect import OpenAIDialect
from shared.testing.scripted_provider.performance import Abort, Forever, Pause, Stage, Write, perform
from shared.testing.scripted_provider.request import ProviderRequest, ToolResult
from shared.testing.scripted_provider.responses_dialect import ResponsesDialect
from shared.testing.scripted_provider.script_file import load

TOOLS = {
    "calculator": {"properties": {"expression": {"type": "string"}}, "required": ["expression"]},
    "execute_code": {"properties": {"source": {"type": "string"}}, "required": ["source"]},
    "get_current_time": {"properties": {"time_zone": {"type": "string"}}},
    "get_user_context": {},
}


def asked(text: str, **fields: object) -> ProviderRequest:
    return ProviderRequest("/v1/chat/completions", model="m", last_user_text=text, **fields)  # type: ignore[arg-type]


def staged(*, stream: bool, dialect: OpenAIDialect | AnthropicDialect | None = None) -> Stage:
    return Stage(asked("hi", stream=stream, include_usage=True), dialect or OpenAIDialect(), "r-1")


def written(steps: object) -> bytes:
    return b"".join(step.data for step in steps if isinstance(step, Write))  # type: ignore[attr-defined]


def events(data: bytes) -> list[dict[str, object]]:
    lines = [line.removeprefix(b"data: ") for line in data.splitlines() if line.startswith(b"data: ")]
    return [orjson.loads(line) for line in lines if line != b"[DONE]"]


def test_queue_is_used_up_before_rules_and_rules_before_nothing() -> None:
    script = sp.Script(rules=[sp.Rule(sp.Reply("rule"), user_contains="WEATHER")])
    script.queue.append(sp.Status(503))
    assert script.next_action(asked("weather?")) == sp.Status(503)
    assert script.next_action(asked("weather?")) == sp.Reply("rule")
    assert script.next_action(asked("else")) is None


def test_rule_is_a_step_of_several_and_takes_the_users_id() -> None:
    user_id = "0198c0de-0000-7000-8000-000000000000"
    calls = (("load", '{"id": "$UUID"}'),)
    script = sp.Script(rules=[sp.Rule(sp.Reply(tool_calls=calls), tool_results=1)])
    assert script.next_action(asked(f"take {user_id}")) is None
    one = ToolResult("c1", "load", "done")
    taken = script.next_action(asked(f"take {user_id}", tool_results=(one,)))
    assert isinstance(taken, sp.Reply)
    assert [call.arguments_json for call in taken.calls()] == [f'{{"id": "{user_id}"}}']
    assert script.next_action(asked("take it", tool_results=(one,))) == sp.Reply(tool_calls=calls)
    assert script.next_action(asked("take it", tool_results=(one, one))) is None


def test_rule_applies_as_often_as_it_says() -> None:
    script = sp.Script(rules=[sp.Rule(sp.Garbage(), times=2), sp.Rule(sp.Reply("after"))])
    taken = [script.next_action(asked("x")) for _ in range(4)]
    assert taken == [sp.Garbage(), sp.Garbage(), sp.Reply("after"), sp.Reply("after")]


def test_rule_conditions_all_have_to_hold() -> None:
    rule = sp.Rule(sp.Reply("x"), user_contains="a", has_tool_results=True, model="m")
    results = (sp.ToolResult("1", "calculator", "4"),)
    assert rule.fits(asked("a", tool_results=results))
    assert not rule.fits(asked("a"))
    assert not rule.fits(asked("b", tool_results=results))
    assert not sp.Rule(sp.Reply("x"), model="other").fits(asked("a"))


@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ("What is 23*17 + sqrt(144)?", "23*17 + sqrt(144)"),
        ("What is 12*12, and what time is it?", "12*12"),
        ("I have 3 cats and 2 dogs", None),
        ("(1+2)*3 please", "(1+2)*3"),
        ("hello", None),
    ],
)
def test_agent_finds_arithmetic(text: str, expression: str | None) -> None:
    assert agent.arithmetic(text) == expression


def test_agent_asks_for_both_tools_in_one_message() -> None:
    reply = agent.answer(asked("What is 12*12, and what time is it?", tools=TOOLS))
    assert [call.name for call in reply.calls()] == ["calculator", "get_current_time"]
    assert json.loads(reply.calls()[0].arguments_json) == {"expression": "12*12"}
    assert reply.finish() == "tool_calls"


def test_agent_fills_the_required_parameter_of_the_offered_schema() -> None:
    reply = agent.answer(asked("Run\n```python\nprint(6*7)\n```", tools=TOOLS))
    assert [(c.name, json.loads(c.arguments_json)) for c in reply.calls()] == [
        ("execute_code", {"source": "print(6*7)\n"})
    ]


def test_agent_asks_only_for_offered_tools_and_else_repeats_the_question() -> None:
    assert agent.answer(asked("2+2?")).text == "You said: 2+2?"


def test_agent_states_each_tool_result() -> None:
    results = (sp.ToolResult("a", "calculator", "144"), sp.ToolResult("b", "get_current_time", "noon"))
    text = agent.answer(asked("2+2?", tools=TOOLS, tool_results=results)).text
    assert "144" in text
    assert "noon" in text


def test_openai_dialect_reads_tool_results_after_the_last_question_only() -> None:
    def turn(call_id: str, content: str) -> list[dict[str, object]]:
        call = {"id": call_id, "type": "function", "function": {"name": "calculator", "arguments": "{}"}}
        return [
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call_id, "content": content},
        ]

    old = [{"role": "user", "content": "first"}, *turn("a", "1")]
    new = [{"role": "user", "content": [{"type": "text", "text": "second"}]}, *turn("b", "2")]
    request = OpenAIDialect().read("/v1/chat/completions", {"model": "m", "messages": [*old, *new]}, {})
    assert request.last_user_text == "second"
    assert request.tool_results == (sp.ToolResult("b", "calculator", "2"),)


def test_anthropic_dialect_reads_tool_results_out_of_user_messages() -> None:
    use = {"type": "tool_use", "id": "t1", "name": "calculator", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t1", "content": [{"type": "text", "text": "4"}]}
    messages = [
        {"role": "user", "content": "2+2?"},
        {"role": "assistant", "content": [use]},
        {"role": "user", "content": [result]},
    ]
    request = AnthropicDialect().read("/v1/messages", {"model": "m", "messages": messages}, {})
    assert request.last_user_text == "2+2?"
    assert request.tool_results == (sp.ToolResult("t1", "calculator", "4"),)


@settings(max_examples=40)
@given(text=st.text(max_size=60), arguments=st.text(max_size=60), size=st.integers(1, 9), mixed=st.booleans())
def test_fragments_join_to_what_was_scripted(text: str, arguments: str, size: int, mixed) -> None:
    calls = (("one", arguments), ("two", '{"x": 1}'))
    reply = sp.Reply(text, tool_calls=calls, chunk_size=size, interleave=mixed)
    chunks = events(written(perform(reply, staged(stream=True)).steps))
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks if chunk["choices"]]  # type: ignore[index]
    fragments = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    joined = ["", ""]
    for fragment in fragments:
        joined[fragment["index"]] += fragment["function"]["arguments"]
    assert "".join(delta.get("content", "") for delta in deltas) == text
    assert joined == [arguments, '{"x": 1}']


def test_interleaved_calls_alternate() -> None:
    reply = sp.Reply(tool_calls=(("a", "1234"), ("b", "5678")), chunk_size=2, interleave=True)
    chunks = events(written(perform(reply, staged(stream=True)).steps))
    indexes = [
        chunk["choices"][0]["delta"]["tool_calls"][0]["index"]  # type: ignore[index]
        for chunk in chunks
        if chunk["choices"] and "tool_calls" in chunk["choices"][0]["delta"]  # type: ignore[index]
    ]
    assert indexes == [0, 1, 0, 1, 0, 1]


def test_duplicate_finish_sends_the_finish_twice_and_the_end_once() -> None:
    data = written(perform(sp.DuplicateFinish(), staged(stream=True)).steps)
    assert data.count(b'"finish_reason":"stop"') == 2
    assert data.count(b"[DONE]") == 1


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("dialect", [OpenAIDialect(), AnthropicDialect(), ResponsesDialect()])
def test_missing_usage_says_nothing_of_usage(stream, dialect: OpenAIDialect) -> None:
    assert b"usage" in written(perform(sp.Reply("x"), staged(stream=stream, dialect=dialect)).steps)
    spoiled = perform(sp.MissingUsage(sp.Reply("x")), staged(stream=stream, dialect=dialect))
    assert b"usage" not in written(spoiled.steps)


@pytest.mark.parametrize("stream", [True, False])
def test_cut_answers_stop_where_they_say(stream) -> None:
    whole = written(perform(sp.Reply("abcdef", chunk_size=2), staged(stream=stream)).steps)
    reply = sp.Reply("abcdef", chunk_size=2)
    reset = list(perform(sp.Reset(1, reply), staged(stream=stream)).steps)
    truncated = list(perform(sp.Truncate(1, reply), staged(stream=stream)).steps)
    hanging = list(perform(sp.Hang("mid_stream", reply), staged(stream=stream)).steps)
    assert reset[-1] == Abort()
    assert hanging[-1] == Forever()
    assert written(reset) == written(truncated) == written(hanging)
    assert whole.startswith(written(reset))
    assert len(written(reset)) < len(whole)


def test_hang_before_headers_sends_nothing_at_all() -> None:
    performance = perform(sp.Hang(), staged(stream=True))
    assert performance.before_headers == (Forever(),)
    assert list(performance.steps) == []


@pytest.mark.parametrize("dialect", [OpenAIDialect(), AnthropicDialect(), ResponsesDialect()])
def test_endless_stream_goes_on_with_legal_content(dialect: OpenAIDialect) -> None:
    steps = perform(sp.EndlessStream("more "), staged(stream=True, dialect=dialect)).steps
    some = list(itertools.islice(steps, 101))
    assert written(some).count(b'"more "') >= 40
    assert b"stop" not in written(some).replace(b'"stop_', b"")


def test_delay_stands_before_each_piece_of_content() -> None:
    steps = list(perform(sp.Reply("abcd", chunk_size=2, chunk_delay_s=0.5), staged(stream=True)).steps)
    assert steps.count(Pause(0.5)) == 2


def test_perform_refuses_what_is_no_action() -> None:
    with pytest.raises(TypeError, match="not an action"):
        perform("reply", staged(stream=True))


def test_embeddings_have_unit_length_and_follow_shared_words() -> None:
    def cosine(left: str, right: str) -> float:
        return sum(a * b for a, b in zip(sp.embed(left), sp.embed(right), strict=True))

    assert cosine("the red car", "THE RED CAR!") == pytest.approx(1.0)
    assert cosine("the red car", "a red car drives") > cosine("the red car", "some other words")


@given(st.text(max_size=80))
def test_every_text_has_a_vector_of_unit_length(text: str) -> None:
    vector = sp.embed(text)
    assert len(vector) == sp.DIMENSIONS
    # Words may cancel each other out in one dimension, and then the length is that of what is left.
    assert sum(value * value for value in vector) == pytest.approx(1.0)


def test_script_file_is_read(tmp_path) -> None:
    file = tmp_path / "script.json"
    file.write_text(
        json.dumps(
            {
                "queue": [
                    {"type": "reply", "tool_calls": [["calculator", "{}"]]},
                    {"type": "status", "code": 429},
                ],
                "rules": [{"user_contains": "hang", "then": {"type": "hang", "before": "mid_stream"}}],
            }
        )
    )
    script = load(file)
    first = script.next_action(asked("x"))
    assert isinstance(first, sp.Reply)
    assert first.calls() == (sp.ToolCall("calculator", "{}", "call_0"),)
    assert script.next_action(asked("x")) == sp.Status(429)
    assert script.next_action(asked("please hang")) == sp.Hang("mid_stream")


@pytest.mark.parametrize("text", ['{"queue": [{"type": "nonsense"}]}', '{"rulez": []}', "not json"])
def test_script_file_that_is_wrong_is_refused(tmp_path, text: str) -> None:
    file = tmp_path / "script.json"
    file.write_text(text)
    with pytest.raises(ValueError, match="validation error"):
        load(file)
