"""The agent through the orchestrator."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import grpc

from gateway.mcp_server.adapters.tool_catalogue_grpc import CHANNEL
from gateway.mcp_server.domain.question import Question
from gateway.mcp_server.domain.run_event import Answered, Began, Broke, Noted, RunEvent, Voided, Wrote
from protos.gen.nexus.agent.v1 import agent_pb2, agent_pb2_grpc
from shared.client import translated_errors

_SHOWN = 500


class GrpcAgent:
    """`Agent` over one channel, which carries the current principal."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub = agent_pb2_grpc.AgentServiceStub(channel)

    async def ask(self, question: Question, request_id: str) -> AsyncGenerator[RunEvent, None]:
        """See `Agent.ask`."""
        query = agent_pb2.QueryAgentRequest(
            question=question.text,
            conversation_id=question.conversation_id,
            request_id=request_id,
            channel=CHANNEL,
        )
        async with translated_errors("orchestrator"):
            async for reply in self._stub.StreamQuery(agent_pb2.StreamQueryRequest(query=query)):
                told = _event(reply.event)
                if told is not None:
                    yield told

    async def cancel(self, run_id: str) -> None:
        """See `Agent.cancel`."""
        async with translated_errors("orchestrator"):
            await self._stub.CancelRun(agent_pb2.CancelRunRequest(run_id=run_id))


def _event(event: agent_pb2.RunEvent) -> RunEvent | None:
    """Return what there is to tell of `event`; None for nothing."""
    match event.WhichOneof("payload"):
        case "run_started":
            return Began(event.run_id, event.run_started.conversation_id)
        case "token_delta":
            return Wrote(event.token_delta.text)
        case "answer_reset":
            return Voided()
        case "run_finished":
            return Answered(event.run_finished.answer)
        case "run_failed" | "run_cancelled":
            return _end(event)
        case _:
            return _note(event)


def _end(event: agent_pb2.RunEvent) -> Broke:
    if event.HasField("run_cancelled"):
        return Broke("RUN_CANCELLED", "The run was cancelled.")
    return Broke(event.run_failed.failure.reason, event.run_failed.failure.message)


def _note(event: agent_pb2.RunEvent) -> Noted | None:
    match event.WhichOneof("payload"):
        case "tool_call_started":
            started = event.tool_call_started
            return Noted(f"{started.tool} {started.arguments_json[:_SHOWN]}")
        case "tool_call_finished":
            finished = event.tool_call_finished
            return Noted(f"{finished.tool} {'says' if finished.ok else 'failed'}: {finished.summary[:_SHOWN]}")
        case "warning":
            return Noted(f"{event.warning.code}: {event.warning.message}", is_warning=True)
        case _:
            return None
