"""`nexus.agent.v1.AgentService`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc

from orchestrator.servicer.convert import proto_of_event, proto_of_run
from orchestrator.servicer.query import Querying
from orchestrator.use_cases.cancel_run import CancelRun
from orchestrator.use_cases.get_run import GetRun
from orchestrator.use_cases.list_runs import ListRuns
from orchestrator.use_cases.watch_run import WatchRun
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from protos.gen.nexus.agent.v1 import agent_pb2_grpc
from shared.auth.context import current_principal

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class RunUseCases:
    """What can be done with runs."""

    get: GetRun
    page: ListRuns
    watch: WatchRun
    cancel: CancelRun


class AgentServicer(agent_pb2_grpc.AgentServiceServicer):
    """Questions and runs."""

    def __init__(self, querying: Querying, runs: RunUseCases) -> None:
        self._querying = querying
        self._runs = runs

    async def QueryAgent(self, request: pb.QueryAgentRequest, context: Context) -> pb.QueryAgentResponse:
        """See the contract."""
        return await self._querying.query(request, context)

    async def StreamQuery(
        self, request: pb.StreamQueryRequest, context: Context
    ) -> AsyncIterator[pb.StreamQueryResponse]:
        """See the contract."""
        # Closed here, when the caller leaves, and not whenever the garbage is collected.
        async with aclosing(self._querying.stream(request, context)) as responses:
            async for response in responses:
                yield response

    async def GetRun(self, request: pb.GetRunRequest, context: Context) -> pb.GetRunResponse:
        """See the contract."""
        del context
        return pb.GetRunResponse(run=proto_of_run(await self._runs.get(current_principal(), request.run_id)))

    async def ListRuns(self, request: pb.ListRunsRequest, context: Context) -> pb.ListRunsResponse:
        """See the contract."""
        del context
        page = await self._runs.page(
            current_principal(), request.page_size, request.page_token, request.conversation_id
        )
        return pb.ListRunsResponse(runs=[proto_of_run(run) for run in page.rows], next_page_token=page.next_token)

    async def WatchRun(self, request: pb.WatchRunRequest, context: Context) -> AsyncIterator[pb.WatchRunResponse]:
        """See the contract."""
        del context
        org_id = current_principal().org_id
        async with aclosing(self._runs.watch(org_id, request.run_id, request.after_sequence)) as events:
            async for event in events:
                yield pb.WatchRunResponse(event=proto_of_event(event))

    async def CancelRun(self, request: pb.CancelRunRequest, context: Context) -> pb.CancelRunResponse:
        """See the contract."""
        del context
        run = await self._runs.cancel(current_principal(), request.run_id)
        return pb.CancelRunResponse(run=proto_of_run(run))
