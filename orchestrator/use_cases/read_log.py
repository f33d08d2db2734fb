"""Read the whole log of a run, page by page."""

from __future__ import annotations

from orchestrator.domain.events import Payload
from orchestrator.domain.run import Run
from orchestrator.ports.run_store import RunStore

PAGE = 500


class ReadLog:
    """The payloads of a run's events, in order."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    async def __call__(self, run: Run) -> list[Payload]:
        """Return all payloads."""
        found: list[Payload] = []
        after = 0
        while page := await self._runs.events(run.org_id, run.run_id, after, PAGE):
            found.extend(event.payload for event in page)
            after = page[-1].sequence
            if len(page) < PAGE:
                break
        return found
