"""What the official clients' types make of a stream: the facts of an answer, told in one way for all dialects.

A stream that is not of its dialect's published form raises; a lenient look takes what providers really send.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from anthropic.types import RawMessageStreamEvent
from openai._streaming import SSEDecoder
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

_MESSAGE_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
_RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
_DELTA_OF_BLOCK = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "redacted_thinking": set[str](),
}
_FINISHES = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
    "max_output_tokens": "length",
}


@dataclass
class Facts:
    """An answer. One that refuses ends for the reason `content_filter`, whatever the dialect's word.

    Attributes:
        words: What was said and refused.
        thoughts: What was thought.
        calls: Name and arguments of each tool call, in order.
        usage: Input, output, cached input, reasoning.
        finish: OpenAI's word for why it ended.
        is_complete: Whether the dialect's success event came.
        is_failed: Whether its error event came.
    """

    words: str = ""
    thoughts: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)
    usage: tuple[int, int, int, int] | None = None
    finish: str = ""
    is_complete: bool = False
    is_failed: bool = False


def facts_of(dialect: str, wire: bytes, *, strict: bool = True) -> Facts:
    """The facts of a stream."""
    read = {"openai_chat": _Chat, "anthropic_messages": _Messages, "openai_responses": _Responses}[dialect](strict)
    for event, data in _events(wire):
        assert not (read.facts.is_complete or read.facts.is_failed) or not strict, f"more after the end: {data}"
        read.take(event, data)
    if strict and read.facts.is_complete:
        read.end()
    read.facts.calls = [(name, _parsed(arguments)) for name, arguments in read.facts.calls]
    return read.facts


def _events(wire: bytes) -> Iterator[tuple[str, str]]:
    for event in SSEDecoder().iter_bytes(iter([wire])):
        if event.data:
            yield event.event or "", event.data


def _parsed(arguments: str) -> Any:
    try:
        return json.loads(arguments or "{}")
    except ValueError:
        return arguments


class _Chat:
    def __init__(self, strict: bool) -> None:
        self.facts = Facts()
        self._strict = strict
        self._calls: dict[Any, list[str]] = {}
        self._has_begun = self._refused = False

    def take(self, event: str, data: str) -> None:
        del event
        if data == "[DONE]":
            self.facts.is_complete = True
            return
        chunk = json.loads(data)
        if chunk.get("error"):
            self.facts.is_failed = True
            return
        if self._strict:
            ChatCompletionChunk.model_validate(chunk)
        if chunk.get("usage"):
            self._count(chunk["usage"])
        for choice in chunk.get("choices") or ():
            if not choice.get("index"):
                self._choice(choice)

    def _choice(self, choice: dict[str, Any]) -> None:
        delta = choice.get("delta") or {}
        if self._strict and not self._has_begun:
            assert delta.get("role") == "assistant"
        self._has_begun = True
        facts = self.facts
        facts.words += (delta.get("content") or "") + (delta.get("refusal") or "")
        self._refused = self._refused or bool(delta.get("refusal"))
        facts.thoughts += delta.get("reasoning_content") or delta.get("reasoning") or ""
        for position, call in enumerate(delta.get("tool_calls") or ()):
            self._call(call, position)
        facts.calls = [(name, arguments) for name, arguments in self._calls.values()]
        finish = choice.get("finish_reason") or facts.finish
        facts.finish = "content_filter" if finish and self._refused else finish

    def _call(self, call: dict[str, Any], position: int) -> None:
        function = call.get("function") or {}
        key = call.get("index", position)
        if key not in self._calls:
            if self._strict:
                assert call["id"]
                assert function["name"]
                assert key == len(self._calls)
            self._calls[key] = [function.get("name") or "", ""]
        self._calls[key][1] += function.get("arguments") or ""

    def _count(self, usage: dict[str, Any]) -> None:
        prompt, answer = usage.get("prompt_tokens_details") or {}, usage.get("completion_tokens_details") or {}
        self.facts.usage = (
            usage["prompt_tokens"],
            usage["completion_tokens"],
            prompt.get("cached_tokens") or 0,
            answer.get("reasoning_tokens") or 0,
        )

    def end(self) -> None:
        assert self.facts.finish


class _Messages:
    def __init__(self, strict: bool) -> None:
        self.facts = Facts()
        self._strict = strict
        self._block = ""
        self._index = -1
        self._places: dict[int, int] = {}
        self._usage: dict[str, Any] = {}

    def take(self, event: str, data: str) -> None:
        said = json.loads(data)
        kind = said["type"]
        if self._strict:
            assert event == kind
        if kind == "error":
            self.facts.is_failed = True
        elif kind in ("message_start", "message_delta", "message_stop") or kind.startswith("content_block"):
            if self._strict:
                _MESSAGE_EVENT.validate_python(said)
            getattr(self, f"_{kind}")(said)

    def _message_start(self, said: dict[str, Any]) -> None:
        assert self._index == -1
        self._usage.update(said["message"].get("usage") or {})

    def _content_block_start(self, said: dict[str, Any]) -> None:
        block = said["content_block"]
        if self._strict:
            assert self._block == "", "two blocks are open"
            assert said["index"] == self._index + 1
        self._index, self._block = said["index"], block["type"]
        self.facts.words += block.get("text") or ""
        if self._block == "tool_use":
            self._places[said["index"]] = len(self.facts.calls)
            self.facts.calls.append((block["name"], ""))

    def _content_block_delta(self, said: dict[str, Any]) -> None:
        delta = said["delta"]
        if self._strict:
            assert said["index"] == self._index
            assert delta["type"] in _DELTA_OF_BLOCK[self._block], f"{delta['type']} within {self._block}"
        self.facts.words += delta.get("text") or ""
        self.facts.thoughts += delta.get("thinking") or ""
        # What the provider runs by itself is no call for the caller.
        if delta["type"] == "input_json_delta" and said["index"] in self._places:
            name, arguments = self.facts.calls[self._places[said["index"]]]
            self.facts.calls[self._places[said["index"]]] = (name, arguments + delta["partial_json"])

    def _content_block_stop(self, said: dict[str, Any]) -> None:
        if self._strict:
            assert said["index"] == self._index
            assert self._block
        self._block = ""

    def _message_delta(self, said: dict[str, Any]) -> None:
        if self._strict:
            assert not self._block, "a block is open at the end"
        stop = (said.get("delta") or {}).get("stop_reason")
        self.facts.finish = _FINISHES.get(stop, "stop") if stop else self.facts.finish
        self._usage.update({key: value for key, value in (said.get("usage") or {}).items() if value is not None})
        if self._usage:
            self.facts.usage = self._counted()

    def _counted(self) -> tuple[int, int, int, int]:
        cached, written = (self._usage.get(f"cache_{kind}_input_tokens") or 0 for kind in ("read", "creation"))
        thinking = (self._usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
        whole = (self._usage.get("input_tokens") or 0) + cached + written
        return (whole, self._usage.get("output_tokens") or 0, cached, thinking)

    def _message_stop(self, said: dict[str, Any]) -> None:
        del said
        self.facts.is_complete = True

    def end(self) -> None:
        assert self.facts.finish


class _Responses:
    def __init__(self, strict: bool) -> None:
        self.facts = Facts()
        self._strict = strict
        self._number = 0
        self._items: dict[int, dict[str, Any]] = {}
        self._pieces: dict[tuple[Any, ...], str] = {}
        self._response: dict[str, Any] = {}

    def take(self, event: str, data: str) -> None:
        said = json.loads(data)
        kind = said["type"]
        if self._strict:
            assert event == kind
            assert said["sequence_number"] == self._number
            self._number += 1
        if kind in ("error", "response.failed"):
            self.facts.is_failed = True
            return
        if self._strict:
            _RESPONSE_EVENT.validate_python(said)
            self._check(kind, said)
        if kind == "response.output_item.done":
            self._items[said["output_index"]] = said["item"]
        if kind in ("response.completed", "response.incomplete"):
            self._end(said["response"])

    def _check(self, kind: str, said: dict[str, Any]) -> None:
        """What is said at the end of a text is what was said of it before."""
        stem, _, what = kind.rpartition(".")
        place = (stem, *(said.get(key) for key in ("output_index", "content_index", "summary_index")))
        if what == "delta":
            self._pieces[place] = self._pieces.get(place, "") + said["delta"]
        elif what == "done" and stem.split(".")[-1] not in (
            "output_item",
            "content_part",
            "reasoning_summary_part",
        ):
            whole = next(said[key] for key in ("text", "refusal", "arguments") if key in said)
            assert self._pieces.get(place, "") == whole

    def _end(self, response: dict[str, Any]) -> None:
        facts, self._response = self.facts, response
        facts.is_complete = True
        why = (response.get("incomplete_details") or {}).get("reason")
        items = response.get("output") or [self._items[place] for place in sorted(self._items)]
        for item in items:
            for part in item.get("content") or ():
                facts.words += part.get("text") or part.get("refusal") or ""
                why = why or ("content_filter" if "refusal" in part else None)
            for part in item.get("summary") or ():
                facts.thoughts += part["text"]
            if item["type"] == "function_call":
                facts.calls.append((item["name"], item["arguments"]))
        facts.finish = _FINISHES.get(why, why) if why else "tool_calls" if facts.calls else "stop"
        usage = response.get("usage")
        if usage:
            prompt, answer = usage.get("input_tokens_details") or {}, usage.get("output_tokens_details") or {}
            facts.usage = (
                usage["input_tokens"],
                usage["output_tokens"],
                prompt.get("cached_tokens") or 0,
                answer.get("reasoning_tokens") or 0,
            )

    def end(self) -> None:
        assert [self._items[place] for place in sorted(self._items)] == self._response["output"]
