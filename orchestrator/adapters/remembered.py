"""A value of another service, remembered for a moment for each organisation and user."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

from shared.auth.context import current_principal
from shared.clock import Clock
from shared.errors import UpstreamDown

T = TypeVar("T")
Owner = tuple[str, str]

FRESH_S = 1.0
STALE_S = 300.0
MOST_OWNERS = 1024


class Remembered(Generic[T]):
    """Reads a value at most once a second for each caller, however many ask at the same time.

    When the other service does not answer, the last value serves for five minutes: a restart over there fails no run
    here.
    """

    def __init__(self, read: Callable[[], Awaitable[T]], clock: Clock) -> None:
        self._read = read
        self._clock = clock
        self._kept: OrderedDict[Owner, tuple[float, T]] = OrderedDict()
        self._locks: WeakValueDictionary[Owner, asyncio.Lock] = WeakValueDictionary()

    async def get(self, *, anew: bool = False) -> T:
        """Return the value for the principal at work; with `anew` none that was read before the call.

        Raises:
            UpstreamDown: when the other service does not answer and nothing is remembered.
        """
        principal = current_principal()
        owner = (principal.org_id, principal.user_id)
        fresh_s = 0.0 if anew else FRESH_S
        kept = self._kept_within(owner, fresh_s)
        if kept is not None:
            return kept[0]
        async with self._locks.setdefault(owner, asyncio.Lock()):
            kept = self._kept_within(owner, fresh_s)
            return kept[0] if kept is not None else await self._read_anew(owner)

    def _kept_within(self, owner: Owner, age_s: float) -> tuple[T] | None:
        """Return the remembered value when it is younger than `age_s`; in a tuple, since it may be None itself."""
        kept = self._kept.get(owner)
        if kept is None or self._clock.monotonic() - kept[0] >= age_s:
            return None
        return (kept[1],)

    async def _read_anew(self, owner: Owner) -> T:
        try:
            value = await self._read()
        except UpstreamDown:
            kept = self._kept_within(owner, STALE_S)
            if kept is None:
                raise
            return kept[0]
        self._kept[owner] = (self._clock.monotonic(), value)
        self._kept.move_to_end(owner)
        if len(self._kept) > MOST_OWNERS:
            self._kept.popitem(last=False)
        return value
