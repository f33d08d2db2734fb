"""A scripted provider in a thread of its own, for tests whose clients block or are other programs."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager

from shared.testing.scripted_provider import ScriptedProvider

_PATIENCE_S = 10.0


@contextmanager
def threaded_provider(api_key: str | None = None) -> Generator[ScriptedProvider]:
    """Serve a scripted provider until the block ends. Script it and read its recording from any thread.

    Raises:
        TimeoutError: It does not start.
    """
    provider = ScriptedProvider(api_key=api_key)
    begun, loop, ended = threading.Event(), asyncio.new_event_loop(), asyncio.Event()

    async def serve() -> None:
        async with provider:
            begun.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), name="scripted-provider", daemon=True)
    thread.start()
    try:
        if not begun.wait(_PATIENCE_S):
            raise TimeoutError("the scripted provider did not start")
        yield provider
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(_PATIENCE_S)
        loop.close()
