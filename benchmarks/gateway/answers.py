"""What the upstream answers, and how the load generator knows it again, whichever gateway it came through."""

from __future__ import annotations

import re

TEXT = "Good morning to you. The sun is up, the coffee is ready and the first train left on time."
WHOLE = (
    '{"id":"chatcmpl-0123456789abcdef","object":"chat.completion","created":1780000000,"model":"whole",'
    '"choices":[{"index":0,"message":{"role":"assistant","content":"' + TEXT + '","refusal":null},'
    '"logprobs":null,"finish_reason":"stop"}],'
    '"usage":{"prompt_tokens":17,"completion_tokens":21,"total_tokens":38}}'
)
_EVENT = (
    'data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1780000000,"model":"events",'
    '"choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}]}\n\n'
)
_USAGE = (
    'data: {"id":"chatcmpl-0123456789abcdef","object":"chat.completion.chunk","created":1780000000,"model":"events",'
    '"choices":[],"usage":{"prompt_tokens":17,"completion_tokens":%d,"total_tokens":%d}}\n\n'
)
_PIECE = re.compile(rb'"content": ?"(\d+) ')
_MODEL = re.compile(rb'"model": ?"events-(\d+)-(\d+)"')


def events(count: int) -> list[bytes]:
    """Return the events of a streamed answer of `count` pieces, each with its number; the last event ends it well."""
    first = _EVENT % ('{"role":"assistant","content":"0 "}', "null")
    pieces = [first, *(_EVENT % (f'{{"content":"{number} "}}', "null") for number in range(1, count))]
    end = _EVENT % ("{}", '"stop"') + _USAGE % (count, count + 17) + "data: [DONE]\n\n"
    return [piece.encode() for piece in (*pieces, end)]


def model_of_events(count: int, every_ms: int) -> str:
    """Return the model that answers with `count` pieces, one each `every_ms`; 0 for all at once."""
    return f"events-{count}-{every_ms}"


def asked_events(body: bytes) -> tuple[int, int]:
    """Return what `model_of_events` was given for the model that a request's body names; raises ValueError for none."""
    found = _MODEL.search(body)
    if found is None:
        raise ValueError("No model of events is asked for.")
    return int(found[1]), int(found[2])


class Told:
    """Checks one streamed answer while it comes: each piece once, in order, and its end."""

    __slots__ = ("_is_wrong", "pieces", "rest")

    def __init__(self) -> None:
        self.pieces = 0
        self.rest = b""
        self._is_wrong = False

    def add(self, body: bytes) -> None:
        """Takes the next bytes of the body."""
        said = self.rest + body
        end = 0
        for piece in _PIECE.finditer(said):
            self._is_wrong = self._is_wrong or int(piece[1]) != self.pieces
            self.pieces += 1
            end = piece.end()
        self.rest = said[end:]

    def is_whole(self, count: int) -> bool:
        """Whether all of `count` pieces came, each once and in order, and after them the dialect's end."""
        return not self._is_wrong and self.pieces == count and b"data: [DONE]" in self.rest
