"""Get one run."""

from __future__ import annotations

from orchestrator.domain.run import Run
from orchestrator.ports.run_store import RunStore
from shared.auth.principal import Principal


class GetRun:
    """Reads a run of the caller's organisation."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    async def __call__(self, principal: Principal, run_id: str) -> Run:
        """Return the run.

        Raises:
            NotFound: RUN_NOT_FOUND.
        """
        return await self._runs.get(principal.org_id, run_id)
