"""A small client of the agent's contract, for end-to-end tests and benchmarks."""

from __future__ import annotations

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from protos.gen.nexus.agent.v1 import agent_pb2, agent_pb2_grpc
from shared.testing.running_mesh import RunningMesh


@dataclass(frozen=True, slots=True)
class Heard:
    """An event and when it was heard, in seconds since the question."""

    after_s: float
    event: agent_pb2.RunEvent

    @property
    def kind(self) -> str:
        """Name of the payload, for example `token_delta`; empty for none."""
        return self.event.WhichOneof("payload") or ""


class AgentClient:
    """Asks the orchestrator of a mesh; an asynchronous context manager that closes its channel."""

    def __init__(self, mesh: RunningMesh, credential: str | None = None) -> None:
        """Connect as the owner, or with another credential; an empty one sends none at all."""
        self._channel = mesh.channel("orchestrator", credential)
        self.stub: Any = agent_pb2_grpc.AgentServiceStub(self._channel)

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel."""
        await self._channel.close()

    async def query(self, question: str, *, timeout_s: float = 60.0, **fields: Any) -> agent_pb2.Run:
        """Ask and return the ended run. Raises grpc.aio.AioRpcError."""
        request = agent_pb2.QueryAgentRequest(question=question, **fields)
        reply: agent_pb2.QueryAgentResponse = await self.stub.QueryAgent(request, timeout=timeout_s)
        return reply.run

    async def stream(self, question: str, *, timeout_s: float = 60.0, **fields: Any) -> list[Heard]:
        """Ask and return every event of the run. Raises grpc.aio.AioRpcError."""
        query = agent_pb2.QueryAgentRequest(question=question, **fields)
        began = time.monotonic()
        request = agent_pb2.StreamQueryRequest(query=query)
        return [
            Heard(time.monotonic() - began, reply.event)
            async for reply in self.stub.StreamQuery(request, timeout=timeout_s)
        ]

    async def runs(self) -> list[agent_pb2.Run]:
        """Return the newest runs, at most 200."""
        reply: agent_pb2.ListRunsResponse = await self.stub.ListRuns(
            agent_pb2.ListRunsRequest(page_size=200), timeout=10
        )
        return list(reply.runs)
