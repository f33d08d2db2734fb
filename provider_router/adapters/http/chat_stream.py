"""Drives one streamed answer: bytes to events to the router's events, whatever the dialect."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from provider_router.adapters.http.call import HttpCall, HttpFault
from provider_router.adapters.http.client import HttpClient
from provider_router.adapters.http.faults import fault
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.http.server_sent_events import EventParser, EventTooLargeError
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.events import Finished, ModelEvent
from provider_router.domain.errors import Reason


@dataclass(frozen=True, slots=True)
class Thinking:
    """The model is at work on something that is not part of the answer. Not passed on; it keeps the stream alive."""


Decoded: TypeAlias = ModelEvent | Thinking


class Decoder(Protocol):
    """Turns one answer's events of a dialect into the router's. One decoder serves one answer."""

    @property
    def is_done(self) -> bool:
        """Whether the dialect's last event came."""
        ...

    def decode(self, data: bytes) -> Sequence[Decoded]:
        """Takes the data of the next event.

        Raises:
            MalformedAnswerError: It is not of the dialect, or the answer is too large.
            NexusError: The provider reports an error.
        """
        ...

    def end(self) -> Finished:
        """Returns how the answer ended.

        Raises:
            MalformedAnswerError: It did not end; it broke off.
        """
        ...


async def stream_answer(
    client: HttpClient, call: HttpCall, decoder: Decoder, limits: CallLimits | None = None
) -> AsyncGenerator[ModelEvent, None]:
    """Posts `call` and yields the answer's events, `Finished` last; within `limits`, or the client's own.

    Raises:
        NexusError: With a reason of `domain.errors.Reason`.
    """
    parser = EventParser(client.limits.event_bytes)
    answer = await client.streamed(call, limits)
    try:
        at_end = False
        while not (at_end or decoder.is_done):
            chunk = await answer.read()
            at_end = not chunk
            for event in _decoded(decoder, parser.feed(chunk) if chunk else parser.finish()):
                answer.progressed()
                if not isinstance(event, Thinking):
                    yield event
        answer.settle()
        yield decoder.end()
    except HttpFault as error:
        raise error.of(call.provider) from error
    except MalformedAnswerError as error:
        raise fault(call.provider, Reason.PROVIDER_BAD_RESPONSE, detail=str(error)) from error
    except EventTooLargeError as error:
        raise fault(call.provider, Reason.PROVIDER_BAD_RESPONSE, detail="an event is too large") from error
    finally:
        answer.close()


def _decoded(decoder: Decoder, payloads: Sequence[bytes]) -> Generator[Decoded]:
    """The events of `payloads` up to the dialect's last one; what a provider sends after that is not read."""
    for data in payloads:
        if decoder.is_done:
            return
        yield from decoder.decode(data)
