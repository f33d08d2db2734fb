"""Work that Ctrl-C interrupts without ending the command at once."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from shared.errors import NexusError


async def either(task: asyncio.Task[Any], event: asyncio.Event) -> bool:
    """Wait for the task or the event; return whether the task is done."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
    return task.done()


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task that is not done. Its result has been taken, or does not matter any more."""
    task.cancel()
    with suppress(asyncio.CancelledError, NexusError):
        await task
