"""`agent.AgentService`, the contract of the earlier system, over the same use cases."""

from __future__ import annotations

from typing import Any

import grpc
from google.protobuf.json_format import MessageToJson

from orchestrator.domain.run import Run, RunStatus
from orchestrator.servicer.convert import proto_of_run
from orchestrator.servicer.query import Querying
from orchestrator.use_cases.start_run import Question
from protos.gen.agent import agent_pb2 as pb
from protos.gen.agent import agent_pb2_grpc
from shared.errors import Cancelled, NexusError, PreconditionFailed

Context = grpc.aio.ServicerContext[Any, Any]


class AliasServicer(agent_pb2_grpc.AgentServiceServicer):
    """One question, one answer; a run without an answer is an error here."""

    def __init__(self, querying: Querying) -> None:
        self._querying = querying

    async def QueryAgent(self, request: pb.QueryRequest, context: Context) -> pb.QueryReply:
        """See the contract."""
        run = await self._querying.answer(Question(request.user_query), context)
        if run.status is not RunStatus.COMPLETED:
            raise _no_answer(run)
        return pb.QueryReply(
            final_answer=run.answer,
            sources=[call.tool for call in run.tool_calls],
            run_id=run.run_id,
            debug_info=MessageToJson(proto_of_run(run)) if request.debug_mode else "",
        )


def _no_answer(run: Run) -> NexusError:
    metadata = {"run_id": run.run_id}
    if run.failure is None:
        return Cancelled("RUN_CANCELLED", "The run was cancelled before it had an answer.", metadata=metadata)
    return PreconditionFailed(run.failure.reason, run.failure.message, metadata=metadata)
