"""Await the end of a run."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

from orchestrator.domain.run import Run
from orchestrator.ports.run_store import RunStore
from orchestrator.use_cases.watch_run import WatchRun
from shared.errors import DeadlineExceeded


class AwaitRun:
    """Drains the run's events, so that waiting and streaming are one thing."""

    def __init__(self, runs: RunStore, watch: WatchRun) -> None:
        self._runs = runs
        self._watch = watch

    async def __call__(self, run: Run, timeout_s: float | None) -> Run:
        """Return the run as it ended.

        Args:
            run: a stored run.
            timeout_s: seconds that the caller waits; None for as long as it takes.

        Raises:
            DeadlineExceeded: RUN_NOT_ENDED, with the run's id; the run goes on.
        """
        try:
            async with asyncio.timeout(timeout_s):
                async with aclosing(self._watch(run.org_id, run.run_id, run.last_sequence)) as events:
                    async for _ in events:
                        pass
                return await self._runs.get(run.org_id, run.run_id)
        except TimeoutError as error:
            raise DeadlineExceeded(
                "RUN_NOT_ENDED",
                f"Run {run.run_id} has not ended within the call's deadline. It goes on: watch it, or get it later.",
                metadata={"run_id": run.run_id},
            ) from error
