"""What a wire dialect has to provide, and the pieces that both dialects share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, cast

from shared.testing.scripted_provider.reply import Reply, Usage
from shared.testing.scripted_provider.request import JsonObject, ProviderRequest

ANY_OBJECT: JsonObject = {"type": "object", "properties": {"said": {"type": "string"}}}
"""The schema of an answer that may be any JSON object."""


@dataclass(frozen=True, slots=True)
class Frames:
    """A streamed answer in its parts, each a complete server-sent event."""

    opening: tuple[bytes, ...]
    content: tuple[bytes, ...]
    finish: tuple[bytes, ...]
    end: tuple[bytes, ...]

    def everything(self) -> tuple[bytes, ...]:
        """Return the events in their order."""
        return self.opening + self.content + self.finish + self.end


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply that belongs to a request. `usage` is None where it shall not be reported."""

    reply: Reply
    request: ProviderRequest
    response_id: str
    usage: Usage | None


class Dialect(Protocol):
    """Reads requests and writes answers in one vendor's form."""

    def read(self, path: str, body: JsonObject, headers: Mapping[str, str]) -> ProviderRequest:
        """Return the request. Raises KeyError, TypeError or AttributeError for a malformed body."""
        ...

    def frames(self, answer: Answer) -> Frames:
        """Return the answer as a stream."""
        ...

    def whole(self, answer: Answer) -> JsonObject:
        """Return the answer as one object."""
        ...

    def error(self, status: int, message: str) -> JsonObject:
        """Return an error body for an HTTP status."""
        ...

    def error_event(self, message: str) -> bytes:
        """Return an error as an event within a stream."""
        ...


def inner(body: JsonObject, *names: str) -> JsonObject:
    """Return the object at the path `names` within a body; an empty one where there is none."""
    for name in names:
        found: object = body.get(name)
        body = cast("JsonObject", found) if isinstance(found, dict) else {}
    return body


def pieces(text: str, size: int) -> list[str]:
    """Return the text cut into pieces of `size` characters; nothing for no text."""
    return [text[start : start + size] for start in range(0, len(text), max(1, size))]


def counted_usage(reply: Reply, request: ProviderRequest) -> Usage:
    """Return the reply's usage, or one that counts a token a word, at least 1 each."""
    if reply.usage is not None:
        return reply.usage
    asked = request.last_user_text.split()
    said = reply.text.split() + [call.arguments_json for call in reply.calls()]
    return Usage(input_tokens=max(1, len(asked)), output_tokens=max(1, len(said)))
