"""Writes streamed answers: blocks one after the other, each opened once and closed for good."""

from __future__ import annotations

from typing import Any

import orjson

from provider_router.domain.calls.events import Completed, Delta, Started, TextDelta, ThinkingDelta, ToolCallDelta
from provider_router.domain.errors import Reason, failure
from provider_router.servicer.http.anthropic_messages.answer import opening_message, stop_reason, usage_fields
from provider_router.servicer.http.anthropic_messages.errors import error_body
from provider_router.servicer.http.surface import told_model
from shared.errors import NexusError

_PING = b'event: ping\ndata: {"type":"ping"}\n\n'
_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_DELTA = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":"%b","%b":'
_DELTA_END = b"}}\n\n"
_TEXT, _THINKING = "text", "thinking"


class MessageEncoder:
    """Implements `StreamEncoder`.

    The dialect has one block open at a time, and servers of other dialects may tell several tool calls at once. So
    while a call's arguments are not complete, what is not of that call waits.

    Args:
        message_id: Of the message.
    """

    def __init__(self, message_id: str) -> None:
        self._message_id = message_id
        self._model = ""
        self._has_begun = False
        self._index = -1
        # What is open: a kind of words, the index of a tool call, or nothing.
        self._open: str | int | None = None
        self._prefix = b""
        self._arguments: list[str] = []
        self._closed_calls: set[int] = set()
        self._waiting: list[Delta] = []

    def started(self, event: Started) -> bytes:
        """See `StreamEncoder.started`."""
        self._model = told_model(event.model)
        return b""

    def delta(self, event: Delta) -> bytes:
        """See `StreamEncoder.delta`.

        Raises:
            UpstreamDown: PROVIDER_BAD_RESPONSE, for more of a tool call that was complete.
        """
        begun = b"" if self._has_begun else self._begin()
        if self._must_wait(event):
            self._waiting.append(event)
            return begun
        return begun + self._told(event)

    def relayed(self, wire: bytes) -> bytes:
        """See `StreamEncoder.relayed`."""
        return wire

    def completed(self, event: Completed) -> bytes:
        """See `StreamEncoder.completed`."""
        if event.wire:
            return event.wire
        pieces = [b"" if self._has_begun else self._begin()]
        pieces += [self._told(waiting) for waiting in _in_turn(self._waiting)]
        pieces.append(self._close())
        delta = {
            "stop_reason": stop_reason(event.finish_reason, event.stop_text),
            "stop_sequence": event.stop_text or None,
        }
        pieces.append(_event({"type": "message_delta", "delta": delta, "usage": usage_fields(event.usage)}))
        pieces.append(_STOP)
        return b"".join(pieces)

    def failed(self, error: NexusError) -> bytes:
        """See `StreamEncoder.failed`."""
        return b"event: error\ndata: " + error_body(error) + b"\n\n"

    def heartbeat(self) -> bytes:
        """See `StreamEncoder.heartbeat`."""
        return _PING

    def _begin(self) -> bytes:
        self._has_begun = True
        return _event({"type": "message_start", "message": opening_message(self._message_id, self._model)})

    def _must_wait(self, event: Delta) -> bool:
        """Whether a tool call is being told that `event` is not of, and that is not complete."""
        if type(self._open) is not int or (type(event) is ToolCallDelta and event.index == self._open):
            return False
        return bool(self._waiting) or not _is_complete("".join(self._arguments))

    def _told(self, event: Delta) -> bytes:
        if isinstance(event, TextDelta):
            opened = b"" if self._open == _TEXT else self._start(_TEXT, {"type": "text", "text": ""}, b"text_delta")
            return b"%b%b%b%b" % (opened, self._prefix, orjson.dumps(event.text), _DELTA_END)
        if isinstance(event, ToolCallDelta):
            return self._told_call(event)
        return self._told_thought(event)

    def _told_call(self, event: ToolCallDelta) -> bytes:
        if event.index in self._closed_calls:
            if event.arguments_json.strip():
                raise failure(Reason.PROVIDER_BAD_RESPONSE, "The model went on with a tool call that was complete.")
            return b""
        opened = b""
        if self._open != event.index:
            block: dict[str, Any] = {"type": "tool_use", "id": event.id, "name": event.name, "input": {}}
            opened = self._start(event.index, block, b"input_json_delta", b"partial_json")
        if not event.arguments_json:
            return opened
        self._arguments.append(event.arguments_json)
        return b"%b%b%b%b" % (opened, self._prefix, orjson.dumps(event.arguments_json), _DELTA_END)

    def _told_thought(self, event: ThinkingDelta) -> bytes:
        told = b""
        if event.redacted:
            told = self._start("redacted", {"type": "redacted_thinking", "data": event.redacted}, b"")
            told += self._close()
        if not event.text and not event.signature:
            return told
        if self._open != _THINKING:
            block = {"type": "thinking", "thinking": "", "signature": ""}
            told += self._start(_THINKING, block, b"thinking_delta", b"thinking")
        if event.text:
            told += self._prefix + orjson.dumps(event.text) + _DELTA_END
        if event.signature:
            signed = _DELTA % (self._index, b"signature_delta", b"signature")
            told += signed + orjson.dumps(event.signature) + _DELTA_END + self._close()
        return told

    def _start(self, opened: str | int, block: dict[str, Any], delta: bytes, field: bytes = b"text") -> bytes:
        """Closes the open block and opens another, whose deltas have the type `delta` and say something in `field`."""
        closed = self._close()
        self._index += 1
        self._open = opened
        self._prefix = _DELTA % (self._index, delta, field)
        return closed + _event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _close(self) -> bytes:
        if self._open is None:
            return b""
        if type(self._open) is int:
            self._closed_calls.add(self._open)
            self._arguments.clear()
        self._open = None
        return _event({"type": "content_block_stop", "index": self._index})


def _is_complete(arguments_json: str) -> bool:
    """Whether nothing can follow. An empty object does not count: some servers send one before the arguments."""
    try:
        value = orjson.loads(arguments_json)
    except orjson.JSONDecodeError:
        return False
    return isinstance(value, dict) and bool(value)  # pyright: ignore[reportUnknownArgumentType]


def _in_turn(waiting: list[Delta]) -> list[Delta]:
    """What waits, in order, but with the pieces of each tool call together where its first one stands."""
    calls: dict[int, list[Delta]] = {}
    turns: list[list[Delta]] = []
    for event in waiting:
        if not isinstance(event, ToolCallDelta):
            turns.append([event])
        elif event.index in calls:
            calls[event.index].append(event)
        else:
            calls[event.index] = [event]
            turns.append(calls[event.index])
    return [event for turn in turns for event in turn]


def _event(data: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (data["type"].encode(), orjson.dumps(data))
