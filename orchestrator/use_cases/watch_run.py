"""Watch a run: its past events first, then the live ones, to the terminal one."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from orchestrator.domain.events import RunEvent
from orchestrator.ports.run_signal import RunSignal
from orchestrator.ports.run_store import RunStore

PAGE = 200
WAIT_S = 1.0


class WatchRun:
    """Reads the log. A slow watcher holds nothing up and keeps at most one page in memory."""

    def __init__(self, runs: RunStore, signal: RunSignal) -> None:
        self._runs = runs
        self._signal = signal

    async def __call__(self, org_id: str, run_id: str, after_sequence: int) -> AsyncGenerator[RunEvent, None]:
        """Yield the events with a higher sequence, each once, in order; end behind the terminal one.

        Raises:
            NotFound: RUN_NOT_FOUND, also when the run is deleted meanwhile.
            UpstreamDown: when the storage cannot be used, or STOPPING when the process is being stopped.
        """
        with self._signal.subscribed(run_id) as grown:
            seen = after_sequence
            while True:
                page = await self._runs.events(org_id, run_id, seen, PAGE)
                for event in page:
                    yield event
                    seen = event.sequence
                    if event.terminal:
                        return
                if len(page) == PAGE:
                    continue
                if not page:
                    run = await self._runs.get(org_id, run_id)
                    if run.status.final and seen >= run.last_sequence:
                        return
                await grown.wait(WAIT_S)
