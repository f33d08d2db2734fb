"""Questions: accept a run, then answer with its end or with its events."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, cast

import grpc

from orchestrator.domain.run import Run
from orchestrator.servicer.convert import proto_of_event, proto_of_run, question_of
from orchestrator.use_cases.await_run import AwaitRun
from orchestrator.use_cases.start_run import Question, StartRun
from orchestrator.use_cases.watch_run import WatchRun
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from shared.auth.context import current_principal

Context = grpc.aio.ServicerContext[Any, Any]

RUN_ID_KEY = "nexus-run-id"
"""Initial metadata with the run's id, sent as soon as it is accepted: a caller whose deadline passes can find it."""
MARGIN_S = 0.1
"""What is left of the caller's deadline for telling that it has passed."""


class Querying:
    """Accepts questions on behalf of the servicers."""

    def __init__(self, start: StartRun, wait: AwaitRun, watch: WatchRun) -> None:
        self._start = start
        self._wait = wait
        self._watch = watch

    async def answer(self, question: Question, context: Context) -> Run:
        """Return the ended run. When the caller's deadline comes first, the run goes on.

        Raises:
            DeadlineExceeded: RUN_NOT_ENDED, with the run's id.
        """
        run = await self._accepted(question, context)
        # The stubs say float; without a deadline it is None.
        left_s = cast("float | None", context.time_remaining())
        return await self._wait(run, None if left_s is None else max(left_s - MARGIN_S, 0.0))

    async def stream(
        self, request: pb.StreamQueryRequest, context: Context
    ) -> AsyncGenerator[pb.StreamQueryResponse, None]:
        """Yield the run's events. A caller that leaves ends the stream and nothing else."""
        run = await self._accepted(question_of(request.query), context)
        async with aclosing(self._watch(run.org_id, run.run_id, 0)) as events:
            async for event in events:
                yield pb.StreamQueryResponse(event=proto_of_event(event))

    async def query(self, request: pb.QueryAgentRequest, context: Context) -> pb.QueryAgentResponse:
        """Answer with the ended run, whichever way it ended."""
        return pb.QueryAgentResponse(run=proto_of_run(await self.answer(question_of(request), context)))

    async def _accepted(self, question: Question, context: Context) -> Run:
        run = await self._start(current_principal(), question)
        await context.send_initial_metadata(((RUN_ID_KEY, run.run_id),))
        return run
