"""Drives one answer: bytes to events to the router's events, whatever the dialect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from provider_router.adapters.http.call import HttpCall, HttpFault
from provider_router.adapters.http.client import HttpClient, StreamedAnswer
from provider_router.adapters.http.faults import fault, unreadable
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.http.server_sent_events import EventParser, EventTooLargeError
from provider_router.domain.calls.call_limits import CallLimits
from provider_router.domain.calls.events import Delta, Finished, ModelEvent, Relayed, ThinkingDelta
from provider_router.domain.errors import Reason
from shared.errors import NexusError

# Thousands of tiny events may come at once, and others are to work meanwhile.
_SLICE_BYTES = 16 * 1024
_HELD_CAP_BYTES = 8 * 1024 * 1024
# An object or a list takes thirty times the memory that it takes in a body, and time that all others wait for. The
# longest answers with log probabilities have some hundred thousands.
_CONTAINERS_CAP = 1_000_000


@dataclass(frozen=True, slots=True)
class AtWork:
    """The model is at work on something that is not part of the answer. Not passed on; it keeps the stream alive."""


AT_WORK = AtWork()
Decoded: TypeAlias = Delta | AtWork


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

    def wire(self, data: bytes) -> bytes:
        """The event of `data`, which was decoded last, as callers of the dialect are sent it; empty for not at all."""
        ...

    def end(self) -> Finished:
        """Returns how the answer ended.

        Raises:
            MalformedAnswerError: It did not end; it broke off.
        """
        ...


DecodeWhole: TypeAlias = Callable[[bytes], Sequence[ModelEvent]]
"""Turns the JSON body of a whole answer into the router's events, `Finished` last and with no `wire`.

Raises MalformedAnswerError for what is no whole answer, NexusError where the provider reports an error.
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """How an answer is wanted.

    Attributes:
        limits: Of time; None for the client's own.
        relayed: Whether its caller speaks the provider's dialect, and is sent what the provider says as it is.
        thinking: Whether its caller wants to see what the model thinks.
    """

    limits: CallLimits | None = None
    relayed: bool = False
    thinking: bool = False


async def stream_answer(
    client: HttpClient, call: HttpCall, decoder: Decoder, terms: Terms
) -> AsyncGenerator[ModelEvent, None]:
    """Posts `call` and yields the answer's events, `Finished` last.

    Where the answer is relayed, what comes before its first piece is held back, so that another provider can still be
    asked; and so is what comes with its end, until the attempt is settled.

    Raises:
        NexusError: With a reason of `domain.errors.Reason`.
    """
    answer = await client.streamed(call, terms.limits)
    reader = _Reader(EventParser(client.limits.event_bytes), decoder, terms)
    try:
        while not reader.is_over:
            chunk = await answer.read()
            while len(chunk) > _SLICE_BYTES:
                for event in reader.take(chunk[:_SLICE_BYTES], answer):
                    yield event
                reader.check()
                chunk = chunk[_SLICE_BYTES:]
                await asyncio.sleep(0)
            for event in reader.take(chunk, answer):
                yield event
            reader.check()
        answer.settle()
        yield reader.end()
    except NexusError:
        raise
    except Exception as error:
        raise _told(call.provider, error) from error
    finally:
        answer.close()


async def whole_answer(
    client: HttpClient, call: HttpCall, decode: DecodeWhole, terms: Terms
) -> AsyncGenerator[ModelEvent, None]:
    """Posts `call` and yields what is in the whole answer, `Finished` last.

    Raises:
        NexusError: With a reason of `domain.errors.Reason`.
    """
    body = await client.whole(call, terms.limits)
    try:
        _check_size(body)
        events = decode(body)
    except NexusError:
        raise
    except Exception as error:
        raise _told(call.provider, error) from error
    for event in events:
        if isinstance(event, Finished):
            yield _with_wire(event, body) if terms.relayed else event
        elif terms.thinking or not isinstance(event, ThinkingDelta):
            yield event


class _Reader:
    """Reads one stream."""

    def __init__(self, parser: EventParser, decoder: Decoder, terms: Terms) -> None:
        self._parser = parser
        self._decoder = decoder
        self._terms = terms
        self._wire: list[bytes] = []
        self._held_bytes = 0
        self._fault: Exception | None = None
        self._has_begun = False
        self._at_end = False

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to be read."""
        return self._at_end or self._decoder.is_done

    def take(self, chunk: bytes, answer: StreamedAnswer) -> Sequence[Delta | Relayed]:
        """Takes the next bytes, empty at the end, and returns what they say; what comes after the end is not read.

        What is said before a fault is told first, wherever the bytes were split: the fault is raised by `check`.
        """
        self._at_end = not chunk
        told: list[Delta] = []
        try:
            self._read(chunk, answer, told)
        except HttpFault:
            raise
        except Exception as error:
            if not told:
                raise
            self._fault = error
        return self._relayed(told) if self._terms.relayed else told

    def check(self) -> None:
        """Raises the fault that came after what was told last."""
        if self._fault is not None:
            raise self._fault

    def end(self) -> Finished:
        """How the answer ended."""
        finished = self._decoder.end()
        return _with_wire(finished, b"".join(self._wire)) if self._wire else finished

    def _read(self, chunk: bytes, answer: StreamedAnswer, told: list[Delta]) -> None:
        decoder, thinking = self._decoder, self._terms.thinking or self._terms.relayed
        for data in self._parser.feed(chunk) if chunk else self._parser.finish():
            if decoder.is_done:
                break
            decoded = decoder.decode(data)
            if decoded:
                answer.progressed()
                told += [
                    event
                    for event in decoded
                    if not isinstance(event, AtWork) and (thinking or not isinstance(event, ThinkingDelta))
                ]
            if self._terms.relayed:
                self._hold(decoder.wire(data))

    def _hold(self, wire: bytes) -> None:
        self._wire.append(wire)
        self._held_bytes += len(wire)
        if self._held_bytes > _HELD_CAP_BYTES:
            raise MalformedAnswerError("it says too much before it begins")

    def _relayed(self, told: list[Delta]) -> Sequence[Relayed]:
        self._has_begun = self._has_begun or bool(told)
        if not self._has_begun:
            return ()
        if self.is_over:
            return (Relayed(b"", tuple(told)),) if told else ()
        wire = b"".join(self._wire)
        self._wire.clear()
        self._held_bytes = 0
        return (Relayed(wire, tuple(told)),) if wire or told else ()


def _check_size(body: bytes) -> None:
    if len(body) > _CONTAINERS_CAP and body.count(b"[") + body.count(b"{") > _CONTAINERS_CAP:
        raise MalformedAnswerError("it has too many values")


def _with_wire(finished: Finished, wire: bytes) -> Finished:
    return Finished(
        finished.finish_reason, finished.usage, finished.billed_micro_usd, stop_text=finished.stop_text, wire=wire
    )


def _told(provider: str, error: Exception) -> NexusError:
    """What is told of `error`. What no decoder thought of is the answer's fault too: another provider may do better."""
    match error:
        case HttpFault():
            return error.of(provider)
        case MalformedAnswerError():
            return fault(provider, Reason.PROVIDER_BAD_RESPONSE, detail=str(error))
        case EventTooLargeError():
            return fault(provider, Reason.PROVIDER_BAD_RESPONSE, detail="an event is too large")
        case _:
            return unreadable(provider, error)
