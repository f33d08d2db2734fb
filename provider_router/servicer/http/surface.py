"""What a surface is: one dialect, as callers speak it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from provider_router.domain.calls.answer import Answer
from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.events import Completed, Delta, Started
from shared.errors import NexusError


def told_model(name: str) -> str:
    """What the body of an answer calls `provider/model`: what the provider calls it, as in answers of its own."""
    return name.partition("/")[2]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a body asks for.

    Attributes:
        request: The chat, with `body` and `whole` set.
        model: As the caller wrote it.
        streamed: Whether the answer is to come piece by piece.
        told_usage: Whether a stream is to tell the tokens used, where the dialect leaves that to the caller.
        inside: An address in it that leads inside, see `data_url.leads_inside`; empty for none.
    """

    request: ChatRequest
    model: str
    streamed: bool
    told_usage: bool = False
    inside: str = ""


class StreamEncoder(Protocol):
    """Writes one streamed answer as the dialect's server-sent events. Each method gives bytes to send, maybe none.

    An answer is either relayed as the provider says it, by `relayed`, or told by `delta`; `completed` takes the rest
    of the former from `Completed.wire`.
    """

    def started(self, event: Started) -> bytes:
        """The answer begins. Nothing is to be written here that a relayed answer brings itself."""
        ...

    def delta(self, event: Delta) -> bytes:
        """More of a translated answer.

        Raises:
            UpstreamDown: PROVIDER_BAD_RESPONSE, for an answer that the dialect cannot tell.
        """
        ...

    def relayed(self, wire: bytes) -> bytes:
        """More of an answer in the caller's own dialect."""
        ...

    def completed(self, event: Completed) -> bytes:
        """The answer is complete: what ends a stream of the dialect well."""
        ...

    def failed(self, error: NexusError) -> bytes:
        """The answer broke off: what ends a stream of the dialect badly. No client takes it for a whole answer."""
        ...

    def heartbeat(self) -> bytes:
        """What shows that the stream is alive while nothing is said; empty where the dialect allows nothing."""
        ...


class Surface(Protocol):
    """One dialect, as callers speak it. Free of state."""

    def read(self, fields: Mapping[str, Any], headers: Mapping[str, str]) -> Wanted:
        """Reads a request.

        Args:
            fields: The parsed body.
            headers: By lower-case name, as in `exchange.Request`.

        Raises:
            InvalidInput: With the fields that are wrong, by their paths in the body (`messages[2].content`).
        """
        ...

    def whole(self, wanted: Wanted, answer: Answer) -> bytes:
        """The JSON body of a whole answer that is not relayed.

        Raises:
            UpstreamDown: PROVIDER_BAD_RESPONSE, for an answer that the dialect cannot tell.
        """
        ...

    def stream(self, wanted: Wanted) -> StreamEncoder:
        """What writes a streamed answer."""
        ...

    def error(self, error: NexusError, request_id: str) -> tuple[int, bytes]:
        """The HTTP status and the JSON body of an error."""
        ...
