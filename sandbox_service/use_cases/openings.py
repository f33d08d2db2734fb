"""Openings: each request opens one thing, however often it comes, and nothing stays open that nobody was told of."""

from __future__ import annotations

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from sandbox_service.domain.errors import request_id_reused
from sandbox_service.domain.order import Caller

_REMEMBERED = 1_000
_Key = tuple[Caller, str]


@dataclass(slots=True)
class _Opening:
    task: asyncio.Task[str]
    fingerprint: bytes
    waiters: int = 0


class Openings:
    """Remembers the ids of what was opened, never the things.

    Args:
        is_kept: says whether the thing with an id is still there.
    """

    def __init__(self, is_kept: Callable[[str], bool]) -> None:
        self._is_kept = is_kept
        self._known: OrderedDict[_Key, tuple[bytes, str]] = OrderedDict()
        self._opening: dict[_Key | object, _Opening] = {}

    async def once(self, key: _Key, order: object, make: Callable[[], Coroutine[Any, Any, str]]) -> str:
        """Return the id of what `make` opens; of what the same request has opened, if that is still there.

        What is being opened is given up when the last caller who waits for it leaves.

        Args:
            key: whose request it is, and its request id; empty for one that is not repeated.
            order: what is wanted; its text has to be the same for the same request.
            make: opens it.

        Raises:
            AlreadyExists: REQUEST_ID_REUSED for another order.
        """
        fingerprint = hashlib.sha256(repr(order).encode("utf-8", "surrogatepass")).digest()
        known = self._known.get(key)
        if known and self._is_kept(known[1]):
            _require_same(known[0], fingerprint)
            return known[1]
        place: _Key | object = key if key[1] else object()
        opening = self._opening.get(place)
        if opening is None:
            opening = self._opening[place] = _Opening(asyncio.create_task(make()), fingerprint)
            opening.task.add_done_callback(lambda _task: self._opened(place, key, opening))
        _require_same(opening.fingerprint, fingerprint)
        opening.waiters += 1
        try:
            return await asyncio.shield(opening.task)
        finally:
            opening.waiters -= 1
            if not opening.waiters and not opening.task.done():
                opening.task.cancel()

    async def stop(self) -> None:
        """Give up what is being opened, and wait for it."""
        tasks = [opening.task for opening in self._opening.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _opened(self, place: _Key | object, key: _Key, opening: _Opening) -> None:
        del self._opening[place]
        task = opening.task
        if task.cancelled() or task.exception() is not None or not key[1]:
            return
        self._known[key] = (opening.fingerprint, task.result())
        self._known.move_to_end(key)
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)


def _require_same(known: bytes, fingerprint: bytes) -> None:
    if known != fingerprint:
        raise request_id_reused()
