"""Drive one accepted run to its end, from its start or from where an earlier attempt left it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from orchestrator.domain.agent_state import AgentState
from orchestrator.domain.errors import FailureReason, RunFailure, crashed_repeatedly, timed_out
from orchestrator.domain.events import Ending, Payload, RunFailed, RunFinished, ToolCallFinished, streamed_text
from orchestrator.domain.run import Failure, Run
from orchestrator.ports.agent_config import AgentConfigSource
from orchestrator.ports.agent_graph import AgentGraph
from orchestrator.ports.conversation_store import ConversationStore
from orchestrator.ports.run_store import RunStore
from orchestrator.use_cases.agent_steps import AgentNodes, BoundSteps
from orchestrator.use_cases.read_log import ReadLog
from orchestrator.use_cases.record_events import RecordEvents
from orchestrator.use_cases.run_work import RunWork
from shared.clock import Clock
from shared.errors import DeadlineExceeded, NexusError

MOST_CRASHES = 3
MOST_HISTORY = 200
NODES_PER_STEP = 3
_LAST_SHARE = 0.1
OTHER_NODES = 8
RESUMED = "The orchestrator was restarted; the step that was under way is done again."


class DriveRun:
    """Works on a run until it has ended. The caller acts as the run's principal."""

    def __init__(
        self,
        runs: RunStore,
        conversations: ConversationStore,
        config: AgentConfigSource,
        graph: AgentGraph,
        nodes: AgentNodes,
        clock: Clock,
    ) -> None:
        self._runs = runs
        self._conversations = conversations
        self._config = config
        self._graph = graph
        self._nodes = nodes
        self._clock = clock
        self._log = ReadLog(runs)

    async def __call__(self, org_id: str, run_id: str) -> None:
        """Work on the run. Cancelling leaves it unended, all events so far written.

        Raises:
            PreconditionFailed: RUN_TRANSITION_INVALID when it has ended already, RUN_FENCED when another attempt
                has begun.
            LogUnwritable, UpstreamDown: when the storage cannot be used; the run is taken up again later.
        """
        run = await self._runs.begin(org_id, run_id, self._clock.now())
        past = await self._log(run) if run.attempt > 1 else []
        text = streamed_text(past)
        if run.crashes >= MOST_CRASHES:
            failed = RunFailed(crashed_repeatedly(run.crashes), text)
            await self._runs.end(run, [], failed, self._clock.now())
        else:
            await self._work(run, RecordEvents(self._runs, self._clock, run, text), past)
        await self._graph.forget([run_id])

    async def _work(self, run: Run, events: RecordEvents, past: Sequence[Payload]) -> None:
        events.open()
        done = False
        try:
            ending = await self._ending(run, events, past)
            done = True
        finally:
            rest = await events.close(flush=not done)
            if not done:
                # Cancelled or failed in an orderly way: should the run be taken up again, that is no crash.
                await self._runs.release(run)
        await self._runs.end(run, rest, ending, self._clock.now())

    async def _ending(self, run: Run, events: RecordEvents, past: Sequence[Payload]) -> Ending:
        left_s = self._left_s(run)
        limit = asyncio.timeout(max(left_s, 0))
        try:
            async with limit:
                state = await self._drive(run, events, past, left_s)
        except RunFailure as stop:
            return RunFailed(stop.failure, events.text)
        except TimeoutError:
            if not limit.expired():
                raise
            return RunFailed(timed_out(run.limits.timeout_s).failure, events.text)
        except NexusError as error:
            if error.reason.startswith(("STORAGE_", "RUN_")):
                raise
            # A model is given the run's time; the router ends a little sooner, so that it can say so.
            if isinstance(error, DeadlineExceeded) and self._left_s(run) <= run.limits.timeout_s * _LAST_SHARE:
                return RunFailed(timed_out(run.limits.timeout_s).failure, events.text)
            return RunFailed(Failure(error.reason or FailureReason.INTERNAL, error.message), events.text)
        return RunFinished(state.get("answer", ""), state.get("expected_model", ""))

    def _left_s(self, run: Run) -> float:
        """Seconds until the end of the run's time; may be negative."""
        begun_at = run.started_at or self._clock.now()
        return run.limits.timeout_s - (self._clock.now() - begun_at).total_seconds()

    async def _drive(self, run: Run, events: RecordEvents, past: Sequence[Payload], left_s: float) -> AgentState:
        resume = run.attempt > 1
        if resume:
            await self._mend(run, events)
        work = RunWork(
            run=run,
            events=events,
            config=await self._config.agent_config(),
            history=tuple(await self._conversations.history(run, MOST_HISTORY)),
            ends_at_s=self._clock.monotonic() + left_s,
            clock=self._clock,
            tools_used=await self._conversations.tools_used(run),
            finished_calls={event.tool_call_id: event for event in past if isinstance(event, ToolCallFinished)},
        )
        most = NODES_PER_STEP * run.limits.max_steps + OTHER_NODES
        return await self._graph.drive(run.run_id, BoundSteps(self._nodes, work), most_nodes=most, resume=resume)

    async def _mend(self, run: Run, events: RecordEvents) -> None:
        """Void what an interrupted step has streamed: watchers then have what finished steps have said."""
        state = await self._graph.state_of(run.run_id)
        said = state.get("answer", "") if state else ""
        if events.text != said:
            events.reset(RESUMED, said)
