"""Keep sessions: open, find, list and close them, and close those that nobody uses."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sandbox_service.domain.errors import session_busy, session_unknown
from sandbox_service.domain.limits import LimitPolicy, RunLimits
from sandbox_service.domain.order import Caller
from sandbox_service.domain.session import Session, SessionOrder
from sandbox_service.ports.image_store import ImageStore
from sandbox_service.ports.sandbox import Sandbox
from sandbox_service.use_cases.open_sandbox import OpenSandbox, Wanted
from sandbox_service.use_cases.openings import Openings
from shared.clock import Clock

_WAITING_CELLS = 8
_LOOK_EVERY_S = 1.0


@dataclass(slots=True)
class Kept:
    """A session with its sandbox.

    Attributes:
        caller: whose it is.
        sandbox: where it lives.
        limits: granted.
    """

    caller: Caller
    sandbox: Sandbox
    limits: RunLimits
    session_id: str
    order: SessionOrder
    image: tuple[str, str]
    created: datetime
    idle_timeout_s: float
    used_at_s: float
    cells: int = 0
    calls: int = 0
    waiting: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class SessionRules:
    """Bounds of sessions.

    Attributes:
        policy: defaults and ceilings of their limits.
        idle_timeout_s: seconds without a call after which one is closed, by default and at most.
    """

    policy: LimitPolicy
    idle_timeout_s: float


class KeepSessions:
    """The sessions of this process; they end with it."""

    def __init__(self, open_sandbox: OpenSandbox, images: ImageStore, rules: SessionRules, clock: Clock) -> None:
        self._open_sandbox = open_sandbox
        self._images = images
        self._rules = rules
        self._clock = clock
        self._kept: dict[str, Kept] = {}
        self._openings = Openings(lambda session_id: session_id in self._kept)

    async def open(self, caller: Caller, order: SessionOrder) -> Session:
        """Open a session; one that was opened under the same request id is returned again.

        Raises:
            InvalidInput: LIMIT_OUT_OF_RANGE.
            NotFound: IMAGE_UNKNOWN.
            PreconditionFailed: ISOLATION_UNAVAILABLE, IMAGE_NOT_SET_UP, EGRESS_REFUSED.
            QuotaExceeded: SANDBOX_BUSY.
            AlreadyExists: REQUEST_ID_REUSED for another order.
        """
        session_id = await self._openings.once((caller, order.request_id), order, lambda: self._make(caller, order))
        return self._shown(self._mine(caller, session_id))

    def find(self, caller: Caller, session_id: str) -> Session:
        """Return one session of the caller.

        Raises:
            NotFound: SESSION_UNKNOWN.
        """
        return self._shown(self._mine(caller, session_id))

    def all(self, caller: Caller) -> Sequence[Session]:
        """Return the caller's sessions, the newest first."""
        mine = [kept for kept in self._kept.values() if kept.caller == caller]
        return [self._shown(kept) for kept in sorted(mine, key=lambda kept: kept.created, reverse=True)]

    async def close(self, caller: Caller, session_id: str) -> None:
        """End a session.

        Raises:
            NotFound: SESSION_UNKNOWN.
        """
        await self._end(self._mine(caller, session_id))

    @asynccontextmanager
    async def used(self, caller: Caller, session_id: str) -> AsyncGenerator[Kept, None]:
        """Yield a session, which does not expire meanwhile; one whose program has ended is closed afterwards.

        Raises:
            NotFound: SESSION_UNKNOWN.
        """
        kept = self._mine(caller, session_id)
        kept.calls += 1
        try:
            yield kept
        finally:
            kept.calls -= 1
            kept.used_at_s = self._clock.monotonic()
            if not kept.sandbox.is_alive and not kept.calls:
                await asyncio.shield(self._end(kept))

    @asynccontextmanager
    async def turn(self, kept: Kept) -> AsyncGenerator[None, None]:
        """Wait until no other cell runs in the session.

        Raises:
            PreconditionFailed: SESSION_BUSY, when too many wait.
        """
        if kept.waiting >= _WAITING_CELLS:
            raise session_busy()
        kept.waiting += 1
        try:
            await kept.turn.acquire()
        finally:
            kept.waiting -= 1
        try:
            kept.cells += 1
            yield
        finally:
            kept.turn.release()

    async def expire(self) -> None:
        """Close sessions that nobody uses. Runs until it is cancelled."""
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            now_s = self._clock.monotonic()
            over = [
                kept
                for kept in self._kept.values()
                if not kept.calls and (now_s - kept.used_at_s >= kept.idle_timeout_s or not kept.sandbox.is_alive)
            ]
            await asyncio.gather(*(self._end(kept) for kept in over))

    async def stop(self) -> None:
        """End all sessions."""
        await self._openings.stop()
        await asyncio.gather(*(self._end(kept) for kept in list(self._kept.values())))

    async def _make(self, caller: Caller, order: SessionOrder) -> str:
        limits = self._rules.policy.granted(order.limits)
        image = await asyncio.to_thread(self._images.find, order.image)
        sandbox = await self._open_sandbox(caller, Wanted(image.digest, limits, egress=order.egress))
        try:
            await sandbox.open_kernel(order.language)
        except BaseException:
            await asyncio.shield(sandbox.destroy())
            raise
        longest_s = self._rules.idle_timeout_s
        kept = Kept(
            caller,
            sandbox,
            limits,
            # From the operating system's randomness alone: whoever knows it has the session, with the right key.
            str(uuid.uuid4()),
            order,
            (image.name, image.digest),
            self._clock.now(),
            min(order.idle_timeout_s or longest_s, longest_s),
            self._clock.monotonic(),
        )
        self._kept[kept.session_id] = kept
        return kept.session_id

    def _mine(self, caller: Caller, session_id: str) -> Kept:
        kept = self._kept.get(session_id)
        if kept is None or kept.caller != caller:
            raise session_unknown(session_id)
        return kept

    async def _end(self, kept: Kept) -> None:
        self._kept.pop(kept.session_id, None)
        await kept.sandbox.destroy()

    def _shown(self, kept: Kept) -> Session:
        left_s = max(0.0, kept.idle_timeout_s - (self._clock.monotonic() - kept.used_at_s))
        return Session(
            kept.session_id,
            kept.order.language,
            *kept.image,
            kept.created,
            self._clock.now() + timedelta(seconds=kept.idle_timeout_s if kept.calls else left_s),
            kept.cells,
            kept.turn.locked(),
            kept.limits,
        )
