"""Writes streamed answers as OpenAI's `chat.completion.chunk` events."""

from __future__ import annotations

import orjson

from provider_router.domain.calls.events import Completed, Delta, Started, TextDelta, ThinkingDelta
from provider_router.servicer.http.openai_chat.answer import finish_word, usage_object
from provider_router.servicer.http.openai_chat.errors import error_object
from provider_router.servicer.http.surface import told_model
from shared.errors import NexusError

_DONE = b"data: [DONE]\n\n"
_HEARTBEAT = b": alive\n\n"
_ROLE = b'"role":"assistant","content":"","refusal":null'


class ChunkEncoder:
    """Implements `StreamEncoder` for chat completions.

    The first chunk of a translated answer waits for its first piece: an answer that is relayed brings its own.

    Args:
        answer_id: Of the answer.
        created_s: When it was made, seconds since 1970.
        tells_usage: Whether the caller asked for the tokens used.
    """

    def __init__(self, answer_id: str, created_s: int, *, tells_usage: bool) -> None:
        self._id = answer_id
        self._created_s = created_s
        self._tells_usage = tells_usage
        self._head = self._delta = self._end = b""
        self._has_begun = False
        self._is_relayed = False
        self._refused = False

    def started(self, event: Started) -> bytes:
        """See `StreamEncoder.started`."""
        head = orjson.dumps(
            {
                "id": self._id,
                "object": "chat.completion.chunk",
                "created": self._created_s,
                "model": told_model(event.model),
            }
        )
        tail = b',"usage":null}\n\n' if self._tells_usage else b"}\n\n"
        self._head = b"data: " + head[:-1] + b',"choices":['
        self._delta = self._head + b'{"index":0,"delta":{'
        self._end = b'},"logprobs":null,"finish_reason":null}]' + tail
        return b""

    def delta(self, event: Delta) -> bytes:
        """See `StreamEncoder.delta`."""
        if isinstance(event, TextDelta):
            self._refused = self._refused or event.refusal
            said = (b'"refusal":' if event.refusal else b'"content":') + orjson.dumps(event.text)
        elif isinstance(event, ThinkingDelta):
            if not event.text:
                # A signature, or what only its provider can read: the dialect has no place for it.
                return b""
            said = b'"reasoning_content":' + orjson.dumps(event.text)
        elif event.id or event.name:
            function = {"name": event.name, "arguments": event.arguments_json}
            call = {"index": event.index, "id": event.id, "type": "function", "function": function}
            said = b'"tool_calls":[' + orjson.dumps(call) + b"]"
        else:
            arguments = orjson.dumps(event.arguments_json)
            said = b'"tool_calls":[{"index":%d,"function":{"arguments":%b}}]' % (event.index, arguments)
        if self._has_begun:
            return self._delta + said + self._end
        return self._begin() + self._delta + said + self._end

    def relayed(self, wire: bytes) -> bytes:
        """See `StreamEncoder.relayed`."""
        self._is_relayed = True
        return wire

    def completed(self, event: Completed) -> bytes:
        """See `StreamEncoder.completed`."""
        if self._is_relayed or event.wire:
            return event.wire + _DONE
        begin = b"" if self._has_begun else self._begin()
        word = finish_word(event.finish_reason, refused=self._refused).encode()
        tail = b',"usage":null}\n\n' if self._tells_usage else b"}\n\n"
        finish = self._delta + b'},"logprobs":null,"finish_reason":"%b"}]' % word + tail
        usage = b""
        if self._tells_usage and event.usage is not None:
            usage = self._head + b'],"usage":' + orjson.dumps(usage_object(event.usage)) + b"}\n\n"
        return begin + finish + usage + _DONE

    def failed(self, error: NexusError) -> bytes:
        """See `StreamEncoder.failed`."""
        return b"data: " + orjson.dumps({"error": error_object(error)}) + b"\n\n"

    def heartbeat(self) -> bytes:
        """See `StreamEncoder.heartbeat`."""
        return _HEARTBEAT

    def _begin(self) -> bytes:
        self._has_begun = True
        return self._delta + _ROLE + self._end
