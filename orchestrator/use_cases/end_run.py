"""End a run that nobody works on any more, as cancelled or as failed, with what it had of an answer."""

from __future__ import annotations

from orchestrator.domain.events import RunCancelled, RunFailed, streamed_text
from orchestrator.domain.run import Failure, Run
from orchestrator.ports.agent_graph import AgentGraph
from orchestrator.ports.run_store import RunStore
from orchestrator.use_cases.read_log import ReadLog
from shared.clock import Clock
from shared.errors import PreconditionFailed


class EndRun:
    """Writes the terminal event of a run from outside its work."""

    def __init__(self, runs: RunStore, graph: AgentGraph, clock: Clock) -> None:
        self._runs = runs
        self._graph = graph
        self._clock = clock
        self._log = ReadLog(runs)

    async def __call__(self, org_id: str, run_id: str, why: Failure | str) -> Run:
        """End the run as failed for a `Failure`, or as cancelled by the user with the id `why`. Idempotent.

        Raises:
            NotFound: RUN_NOT_FOUND.
            UpstreamDown: when the storage cannot be used.
        """
        run = await self._runs.get(org_id, run_id)
        if run.status.final:
            return run
        text = streamed_text(await self._log(run))
        ending = RunFailed(why, text) if isinstance(why, Failure) else RunCancelled(why, text)
        try:
            ended = await self._runs.end(run, [], ending, self._clock.now())
        except PreconditionFailed:
            return await self._runs.get(org_id, run_id)
        await self._graph.forget([run_id])
        return ended
