"""A caller of the sandbox: programs, cells, and how they ended."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from protos.gen.nexus.sandbox.v1 import sandbox_pb2_grpc
from shared.client.channel import open_channel
from shared.testing.harness import mesh_tokens, principal

PYTHON = pb.LANGUAGE_PYTHON
_TIMEOUT_S = 60.0


class Client:
    """Calls the service at `address` as the organisation `org_id`."""

    def __init__(self, address: str, org_id: str) -> None:
        tokens, who = mesh_tokens(), principal(org_id)
        self._channel = open_channel(address, lambda _current: tokens.mint(who, "bench"))
        self.stub: Any = sandbox_pb2_grpc.SandboxServiceStub(self._channel)

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def run(self, code: str, **fields: Any) -> pb.ExecutionFinished:
        """Run a program and return its end."""
        request = pb.ExecuteRequest(language=PYTHON, code=code, **fields)
        last = [event async for event in self.stub.Execute(request, timeout=_TIMEOUT_S)][-1]
        return last.finished

    async def good(self, code: str = "print(6 * 7)", **fields: Any) -> None:
        """Run a program that has to end well."""
        end = await self.run(code, **fields)
        if end.status != pb.EXECUTION_STATUS_OK:
            raise RuntimeError(f"the run ended with {end}")

    async def stubborn(self, code: str, wall_s: int) -> None:
        """Run a program, coming back as often as the sandbox is busy."""
        limits = pb.ExecutionLimits()
        limits.wall_time.FromSeconds(wall_s)
        while True:
            try:
                await self.run(code, limits=limits)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                    raise
                await asyncio.sleep(1.0)
            else:
                return

    async def session(self) -> str:
        """Open a session and return its id."""
        reply = await self.stub.CreateSession(pb.CreateSessionRequest(language=PYTHON), timeout=_TIMEOUT_S)
        return reply.session.session_id

    async def cell(self, session_id: str, code: str = "1 + 1") -> None:
        """Run a cell that has to end well."""
        request = pb.ExecuteInSessionRequest(session_id=session_id, code=code)
        last = [event async for event in self.stub.ExecuteInSession(request, timeout=_TIMEOUT_S)][-1]
        if last.event.finished.status != pb.EXECUTION_STATUS_OK:
            raise RuntimeError(f"the cell ended with {last}")
