"""`nexus.agent.v1.AgentService`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc

from orchestrator.domain.chat import ChatRequest
from orchestrator.servicer.convert import proto_of_event, proto_of_run, question_of
from orchestrator.servicer.query import Querying
from orchestrator.use_cases.cancel_run import CancelRun
from orchestrator.use_cases.get_run import GetRun
from orchestrator.use_cases.list_runs import ListRuns
from orchestrator.use_cases.preview_query import PreviewQuery
from orchestrator.use_cases.watch_run import WatchRun
from protos.gen.nexus.agent.v1 import agent_pb2 as pb
from protos.gen.nexus.agent.v1 import agent_pb2_grpc
from protos.gen.nexus.router.v1 import router_pb2
from shared.auth.context import current_principal

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class RunUseCases:
    """What can be done with runs."""

    get: GetRun
    page: ListRuns
    watch: WatchRun
    cancel: CancelRun
    preview: PreviewQuery


class AgentServicer(agent_pb2_grpc.AgentServiceServicer):
    """Questions and runs.

    Args:
        querying: what accepts questions.
        runs: what can be done with runs.
        as_sent: what makes messages of the requests that are sent to the router.
    """

    def __init__(
        self,
        querying: Querying,
        runs: RunUseCases,
        as_sent: Callable[[ChatRequest], router_pb2.ChatCompletionRequest],
    ) -> None:
        self._querying = querying
        self._runs = runs
        self._as_sent = as_sent

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

    async def PreviewQuery(self, request: pb.PreviewQueryRequest, context: Context) -> pb.PreviewQueryResponse:
        """See the contract."""
        del context
        question = question_of(request.query)
        found = await self._runs.preview(current_principal(), question, request.refused_reason)
        if found is None:
            return pb.PreviewQueryResponse()
        asked = self._as_sent(found.request)
        # Calls have a deadline, by which they are routed; what is previewed has none to carry it.
        asked.routing.timeout.FromNanoseconds(round(found.timeout_s * 1e9))
        return pb.PreviewQueryResponse(request=asked, guided=found.guided)

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
