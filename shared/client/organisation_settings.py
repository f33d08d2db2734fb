"""What organisations have set, as the settings service says it: asked once for each, then watched."""

from __future__ import annotations

import asyncio
import contextvars
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import grpc

from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from shared.auth.context import acting_as
from shared.auth.principal import Principal, settings_reader
from shared.client import translated_errors
from shared.clock import Clock
from shared.errors import DeadlineExceeded, NexusError, UpstreamDown
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_Value = TypeVar("_Value")
_FIRST_BACKOFF_S = 0.1
_LAST_BACKOFF_S = 5.0
_ASK_TIMEOUT_S = 3.0
_ASK_AGAIN_S = 1.0


@dataclass(slots=True, eq=False)
class _Organisation(Generic[_Value]):
    """What is known of an organisation, and the watch that keeps it true.

    `reader` is this service as a reader of the organisation's settings. `asked_at` is when the settings service was
    last asked because no watch was open.
    """

    reader: Principal
    known: tuple[_Value] | None = None
    watching: bool = False
    asked_at: float = float("-inf")
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    watch: asyncio.Task[None] | None = None


class OrganisationSettings(Generic[_Value]):
    """Watches `SettingsService.WatchConfig` for each organisation that is asked for.

    While the watch of an organisation is open, its value is at hand and as new as the last message. While it is not,
    each question asks again, at most once a second, and the last value stands when the settings service does not
    reply.

    Args:
        service: the short name of the service that asks; it reads as itself, whatever its caller may read.
        channel: to the settings service.
        clock: spaces the questions.
        read: takes from a configuration what matters.
        max_organisations: most watches at once; the one unused for longest is closed for a new one.
    """

    def __init__(
        self,
        service: str,
        channel: grpc.aio.Channel,
        clock: Clock,
        read: Callable[[settings_pb2.Config], _Value],
        *,
        max_organisations: int,
    ) -> None:
        self._service = service
        self._stub = settings_pb2_grpc.SettingsServiceStub(channel)
        self._clock = clock
        self._read = read
        self._max_organisations = max_organisations
        self._known: OrderedDict[str, _Organisation[_Value]] = OrderedDict()
        self._closing: set[asyncio.Task[None]] = set()

    async def of(self, org_id: str) -> _Value:
        """Return the value of `org_id`; a change shows within a second.

        Raises:
            UpstreamDown: SETTINGS_UNKNOWN, when nothing is known and the settings service does not answer.
        """
        organisation = self._organisation(org_id)
        if not organisation.watching:
            async with organisation.asking:
                if not organisation.watching:
                    await self._ask(organisation)
        if organisation.known is None:
            raise UpstreamDown(
                "SETTINGS_UNKNOWN",
                "The settings service does not answer, so it is not known what the organisation has set. Try again "
                "in a moment.",
                retry_after_s=_ASK_AGAIN_S,
            )
        return organisation.known[0]

    async def stop(self) -> None:
        """Close all watches, and wait for them."""
        for organisation in self._known.values():
            self._close(organisation)
        self._known.clear()
        if self._closing:
            await asyncio.wait(set(self._closing))

    def _organisation(self, org_id: str) -> _Organisation[_Value]:
        organisation = self._known.get(org_id)
        if organisation is None:
            organisation = self._known[org_id] = _Organisation(settings_reader(self._service, org_id))
        self._known.move_to_end(org_id)
        while len(self._known) > self._max_organisations:
            self._close(self._known.popitem(last=False)[1])
        return organisation

    async def _ask(self, organisation: _Organisation[_Value]) -> None:
        if self._clock.monotonic() - organisation.asked_at < _ASK_AGAIN_S:
            return
        try:
            with acting_as(organisation.reader):
                async with translated_errors("settings"):
                    reply: settings_pb2.GetConfigResponse = await self._stub.GetConfig(
                        settings_pb2.GetConfigRequest(), timeout=_ASK_TIMEOUT_S
                    )
        except (UpstreamDown, DeadlineExceeded) as error:
            organisation.asked_at = self._clock.monotonic()
            _log.warning("settings_not_asked", org_id=organisation.reader.org_id, reason=error.reason)
        else:
            organisation.asked_at = self._clock.monotonic()
            organisation.known = (self._read(reply.config),)
            self._open(organisation)

    def _open(self, organisation: _Organisation[_Value]) -> None:
        org_id = organisation.reader.org_id
        gone = self._known.get(org_id) is not organisation
        if gone or (organisation.watch is not None and not organisation.watch.done()):
            return
        # A context of its own: the watch outlives the request that caused it, and is no part of its trace.
        organisation.watch = asyncio.create_task(
            self._watch(organisation), name=f"settings-{org_id}", context=contextvars.Context()
        )

    def _close(self, organisation: _Organisation[_Value]) -> None:
        watch = organisation.watch
        if watch is not None:
            watch.cancel()
            self._closing.add(watch)
            watch.add_done_callback(self._closing.discard)

    async def _watch(self, organisation: _Organisation[_Value]) -> None:
        backoff_s = _FIRST_BACKOFF_S
        while True:
            try:
                with acting_as(organisation.reader):
                    async for value in self._changes():
                        organisation.known = (value,)
                        organisation.watching = True
                        backoff_s = _FIRST_BACKOFF_S
            except NexusError as error:
                _log.warning("settings_watch_broken", org_id=organisation.reader.org_id, reason=error.reason)
            finally:
                organisation.watching = False
            await asyncio.sleep(backoff_s)
            backoff_s = min(_LAST_BACKOFF_S, backoff_s * 2)

    async def _changes(self) -> AsyncIterator[_Value]:
        async with translated_errors("settings"):
            call = self._stub.WatchConfig(settings_pb2.WatchConfigRequest())
            try:
                async for message in call:
                    yield self._read(message.config)
            finally:
                call.cancel()
