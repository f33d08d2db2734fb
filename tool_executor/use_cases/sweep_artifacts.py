"""Removes what crashes left of artifacts, again and again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tool_executor.ports.artifact_store import ArtifactStore


class SweepArtifacts:
    """Sweeps at the start, and then every `pause_s` seconds."""

    def __init__(self, store: ArtifactStore, sleep: Callable[[float], Awaitable[None]], *, pause_s: float) -> None:
        self._store = store
        self._sleep = sleep
        self._pause_s = pause_s

    async def __call__(self) -> None:
        """Sweep until cancelled.

        Raises:
            UpstreamDown: when the storage cannot be used.
        """
        while True:
            await self._store.sweep()
            await self._sleep(self._pause_s)
