"""Halves of characters in what providers say: they break no answer."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_translation import DIALECTS, told, told_whole

from provider_router.adapters.anthropic.blocks import turns_of
from provider_router.domain.calls.chat import Message, Role, ToolCall
from provider_router.domain.calls.lone_surrogates import without_lone_surrogates

HALF, WHOLE = b"a\\ud83d b", "a\ufffd b".encode()
CALL = {"id": "c", "type": "function", "function": {"name": "add", "arguments": '{"x":"HALF"}'}}


def answer(**message: Any) -> bytes:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", **message}}
    return orjson.dumps({"choices": [choice]}).replace(b"HALF", HALF)


@pytest.mark.parametrize("caller", DIALECTS)
def test_a_half_in_a_text_is_replaced_or_passed_on_as_it_is(caller: str) -> None:
    said = told_whole(caller, "openai_chat", answer(content="HALF"))
    assert said.error is None
    assert (HALF if caller == "openai_chat" else WHOLE) in said.wire
    chunk = {"choices": [{"index": 0, "delta": {"content": "HALF"}, "finish_reason": "stop"}]}
    stream = b"data: %b\n\ndata: [DONE]\n\n" % orjson.dumps(chunk).replace(b"HALF", HALF)
    said = told(caller, "openai_chat", [stream])
    assert said.error is None
    assert (HALF if caller == "openai_chat" else WHOLE) in said.wire


def test_a_half_in_the_arguments_of_a_tool_is_replaced_where_they_must_be_an_object() -> None:
    said = told_whole("anthropic_messages", "openai_chat", answer(tool_calls=[CALL]).replace(HALF, b"\\" + HALF[1:]))
    assert said.error is None
    halved = '{"x":"\\ud83d"}'
    said = told_whole(
        "anthropic_messages",
        "openai_chat",
        answer(tool_calls=[{**CALL, "function": {"name": "add", "arguments": halved}}]),
    )
    (block,) = orjson.loads(said.wire)["content"]
    assert block["input"] == {"x": "\ufffd"}
    (turn,) = turns_of([Message(Role.ASSISTANT, "", (ToolCall("c", "add", halved),))])
    assert orjson.loads(orjson.dumps(turn))["content"][0]["input"] == {"x": "\ufffd"}


def test_what_is_no_json_for_another_reason_stays_none() -> None:
    assert told_whole("openai_chat", "openai_chat", b'{"choices": [}').error is not None
    assert told_whole("openai_chat", "openai_chat", b'{"a": "\\ud83d", ]').error is not None


@given(st.text(alphabet=st.characters(codec=None), max_size=20))
def test_what_stands_alone_is_replaced_and_nothing_else(text: str) -> None:
    escaped = "".join(f"\\u{unit:04x}" for unit in memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H"))
    clean = without_lone_surrogates(b'"%b\\\\ud800"' % escaped.encode())
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert len(orjson.loads(clean)) >= len("\\ud800")
    assert orjson.loads(clean).endswith("\\ud800")
    if "\ufffd" not in whole:
        assert orjson.loads(clean) == text + "\\ud800"
