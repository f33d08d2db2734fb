"""Keeps long computing off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from tool_executor.domain.output_limit import is_little

_Result = TypeVar("_Result")


async def off_loop(value: object, work: Callable[[], _Result]) -> _Result:
    """Return what `work` does with `value`: at once when that is little, else in a thread, beside all other calls.

    Raises:
        Exception: what `work` raises.
    """
    return work() if is_little(value) else await asyncio.to_thread(work)
