"""Events of a run from the orchestrator, over a new connection each time."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from mesh.cli.session import UNARY_TIMEOUT_S, Session
from protos.gen.nexus.agent.v1 import agent_pb2, agent_pb2_grpc
from shared.errors import NexusError, UpstreamDown

_SERVICE = "orchestrator"
_STREAM_TIMEOUT_S = 3900.0  # a run takes an hour at most
# How a transport that broke shows when the server could not say anything itself.
_BROKEN_TRANSPORT = frozenset({"UNREACHABLE", "UNKNOWN", "CANCELLED"})


class GrpcRunSource:
    """Starts one question and follows it. The request's id makes starting it again safe."""

    def __init__(self, session: Session, query: agent_pb2.QueryAgentRequest) -> None:
        self._session = session
        self._query = query

    async def start(self) -> AsyncGenerator[agent_pb2.RunEvent]:
        """Start the run, or find it, and stream its events."""
        try:
            async with self._session.connect(_SERVICE) as link:
                stub = agent_pb2_grpc.AgentServiceStub(link.channel)
                request = agent_pb2.StreamQueryRequest(query=self._query)
                async for reply in stub.StreamQuery(request, metadata=link.metadata, timeout=_STREAM_TIMEOUT_S):
                    yield reply.event
        except NexusError as error:
            raise _lost_or(error) from error

    async def watch(self, run_id: str, after_sequence: int) -> AsyncGenerator[agent_pb2.RunEvent]:
        """Stream the events of the run after a sequence number."""
        try:
            async with self._session.connect(_SERVICE) as link:
                stub = agent_pb2_grpc.AgentServiceStub(link.channel)
                request = agent_pb2.WatchRunRequest(run_id=run_id, after_sequence=after_sequence)
                async for reply in stub.WatchRun(request, metadata=link.metadata, timeout=_STREAM_TIMEOUT_S):
                    yield reply.event
        except NexusError as error:
            raise _lost_or(error) from error


async def cancel_run(session: Session, run_id: str, request_id: str) -> agent_pb2.Run:
    """Cancel a run and return it. Idempotent by `request_id`.

    Raises:
        NexusError: when that is refused or nobody answers.
    """
    async with session.connect(_SERVICE) as link:
        stub = agent_pb2_grpc.AgentServiceStub(link.channel)
        request = agent_pb2.CancelRunRequest(run_id=run_id, request_id=request_id)
        reply = await stub.CancelRun(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
    return reply.run


def _lost_or(error: NexusError) -> NexusError:
    if error.reason not in _BROKEN_TRANSPORT or isinstance(error, UpstreamDown):
        return error
    return UpstreamDown("CONNECTION_LOST", "The connection to the orchestrator was lost.", metadata=error.metadata)


async def past_events(source: GrpcRunSource, run: agent_pb2.Run) -> list[agent_pb2.RunEvent]:
    """Return the events of `run` up to the newest one that it knows of, without waiting for more.

    Raises:
        NexusError: when that is refused or nobody answers.
    """
    events: list[agent_pb2.RunEvent] = []
    if not run.last_sequence:
        return events
    async with aclosing(source.watch(run.run_id, 0)) as stream:
        async for event in stream:
            events.append(event)
            if event.sequence >= run.last_sequence:
                break
    return events
