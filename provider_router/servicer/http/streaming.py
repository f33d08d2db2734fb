"""Streams an answer to its caller: whole, or with an error that no client takes for the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

from provider_router.domain.calls.chat_call import RoutingOptions
from provider_router.domain.calls.events import ChatEvent, Completed, Continued, Relayed, Started
from provider_router.domain.errors import Reason, failure
from provider_router.domain.traffic.call_failure import shutting_down
from provider_router.servicer.http.answer_headers import ending_comment, started_headers
from provider_router.servicer.http.heartbeat import EVERY_S, Heartbeat
from provider_router.servicer.http.surface import StreamEncoder
from provider_router.servicer.http.visit import Visit
from shared.errors import NexusError
from shared.http_server.exchange import Reply
from shared.server.mapped_errors import taxonomy_error


class Streaming:
    """Streams answers.

    Args:
        heartbeat_s: Silence after which a stream shows that it is alive.
    """

    def __init__(self, heartbeat_s: float = EVERY_S) -> None:
        self._heartbeat_s = heartbeat_s

    async def __call__(
        self, visit: Visit, events: AsyncGenerator[ChatEvent, None], encoder: StreamEncoder, options: RoutingOptions
    ) -> None:
        """Sends what `events` say to who asked with `options`.

        The head waits for the first of them, so that an error before it has a status.

        Raises:
            NexusError: Before the head is sent. After it, errors are told in the stream.
        """
        async with aclosing(events):
            started = await anext(events)
            if not isinstance(started, Started):
                raise failure(Reason.STREAM_BROKEN, "The answer has no beginning.")
            visit.begin(started_headers(started, options), encoder.started(started))
            stream = _Stream(visit.reply, encoder, Heartbeat(visit.reply, encoder.heartbeat, self._heartbeat_s))
            try:
                await stream.tell(events)
            except asyncio.CancelledError:
                if visit.reply.is_dismissed:
                    stream.fail(shutting_down())
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the client must not take this for the end
                told = taxonomy_error(error, visit.request.path)
                visit.reason = told.reason
                stream.fail(told)
            finally:
                stream.heartbeat.stop()


class _Stream:
    """A stream of which the head is sent."""

    __slots__ = ("_continued_by", "_encoder", "_is_whole", "_reply", "heartbeat")

    def __init__(self, reply: Reply, encoder: StreamEncoder, heartbeat: Heartbeat) -> None:
        self.heartbeat = heartbeat
        self._reply = reply
        self._encoder = encoder
        self._continued_by: list[str] = []
        self._is_whole = False

    async def tell(self, events: AsyncGenerator[ChatEvent, None]) -> None:
        """Sends all that `events` say.

        Raises:
            NexusError: The answer broke off.
        """
        reply, heartbeat, time = self._reply, self.heartbeat, asyncio.get_running_loop().time
        relayed, delta = self._encoder.relayed, self._encoder.delta
        # What is done here is done for every piece of every stream.
        async for event in events:
            if isinstance(event, Relayed):
                reply.write(relayed(event.wire))
            elif isinstance(event, Completed):
                self._complete(event)
                continue
            elif isinstance(event, Continued):
                self._continued_by.append(event.model)
            elif not isinstance(event, Started):
                reply.write(delta(event))
            heartbeat.heard_s = time()
            if reply.is_behind:
                await reply.drained()
        if not self._is_whole:
            raise failure(Reason.STREAM_BROKEN, "The answer broke off before its end.")

    def fail(self, error: NexusError) -> None:
        """Ends the stream with `error`, unless its answer is whole: then what failed is no matter of the client's."""
        if not self._is_whole:
            self._reply.end(self._encoder.failed(error))

    def _complete(self, completed: Completed) -> None:
        """Ends the stream. What is to be settled after that keeps no client waiting."""
        last = self._encoder.completed(completed)
        self._is_whole = True
        self.heartbeat.stop()
        self._reply.end(ending_comment(completed, self._continued_by) + last)
