"""Cancel a run."""

from __future__ import annotations

from orchestrator.domain.run import Run
from orchestrator.ports.run_runner import RunRunner
from orchestrator.ports.run_store import RunStore
from shared.auth.principal import Principal


class CancelRun:
    """Stops a run of the caller's organisation."""

    def __init__(self, runs: RunStore, runner: RunRunner) -> None:
        self._runs = runs
        self._runner = runner

    async def __call__(self, principal: Principal, run_id: str) -> Run:
        """Return the run as it ended. Cancelling an ended run changes nothing; idempotent.

        Raises:
            NotFound: RUN_NOT_FOUND.
        """
        run = await self._runs.get(principal.org_id, run_id)
        if run.status.final:
            return run
        await self._runner.cancel(run.ticket, principal.user_id)
        return await self._runs.get(principal.org_id, run_id)
