"""A sandbox service that runs long-lived programs as plain subprocesses, without any isolation: for tests alone."""

from __future__ import annotations

import asyncio
import uuid
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from shared.auth.context import current_principal
from shared.auth.principal import Principal
from shared.errors import NotFound, PreconditionFailed
from shared.server import Registration, Service

_CHUNK_BYTES = 65_536
_POLL_S = 0.005


@dataclass
class Started:
    """A program that was started: as whom, as what, and what it is now."""

    principal: Principal
    request: sandbox_pb2.StartProcessRequest
    process: Process = field(repr=False)


class ProcessSandbox(sandbox_pb2_grpc.SandboxServiceServicer):
    """Implements the RPCs about processes.

    Attributes:
        started: the programs, by id, also those that ended.
        remedy: why no program is started; empty when they are.
    """

    def __init__(self) -> None:
        self.started: dict[str, Started] = {}
        self.remedy = ""

    def service(self) -> Service:
        """Return the service to serve."""
        descriptor = sandbox_pb2.DESCRIPTOR.services_by_name["SandboxService"]
        return Service(
            "sandbox", [Registration(sandbox_pb2_grpc.add_SandboxServiceServicer_to_server, self, descriptor)]
        )

    async def StartProcess(self, request: sandbox_pb2.StartProcessRequest, context: Any) -> Any:  # noqa: N802
        """Start a program with no environment but its own."""
        del context
        if self.remedy:
            raise PreconditionFailed("ISOLATION_UNAVAILABLE", self.remedy)
        environment = {each.name: each.value for each in request.environment}
        process = await asyncio.create_subprocess_exec(
            *request.argv, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment
        )
        process_id = str(uuid.uuid4())
        self.started[process_id] = Started(current_principal(), request, process)
        return sandbox_pb2.StartProcessResponse(process_id=process_id)

    async def WatchProcess(  # noqa: N802
        self, request: sandbox_pb2.WatchProcessRequest, context: Any
    ) -> AsyncIterator[sandbox_pb2.WatchProcessResponse]:
        """Stream what a program writes; errors come after the output."""
        del context
        process = self._mine(request.process_id)
        if process.stdout is None or process.stderr is None:
            raise NotFound("PROCESS_UNKNOWN", "It has no streams.")
        while chunk := await process.stdout.read(_CHUNK_BYTES):
            yield sandbox_pb2.WatchProcessResponse(stdout=chunk)
        yield sandbox_pb2.WatchProcessResponse(stderr=await process.stderr.read())
        finished = sandbox_pb2.ExecutionFinished(exit_code=await process.wait())
        yield sandbox_pb2.WatchProcessResponse(finished=finished)

    async def WriteProcess(self, request: sandbox_pb2.WriteProcessRequest, context: Any) -> Any:  # noqa: N802
        """Write to a program."""
        del context
        stdin = self._mine(request.process_id).stdin
        if stdin is not None:
            stdin.write(request.data)
            await stdin.drain()
        return sandbox_pb2.WriteProcessResponse()

    async def StopProcess(self, request: sandbox_pb2.StopProcessRequest, context: Any) -> Any:  # noqa: N802
        """Kill a program."""
        del context
        process = self._mine(request.process_id)
        if process.returncode is None:
            process.kill()
        # Not wait(): that waits for readers of its pipes, too.
        while process.returncode is None:  # noqa: ASYNC110 - there is no event of it
            await asyncio.sleep(_POLL_S)
        untyped: Any = process
        untyped._transport.close()  # noqa: SLF001 - nothing public closes the pipes
        return sandbox_pb2.StopProcessResponse()

    def _mine(self, process_id: str) -> Process:
        found = self.started.get(process_id)
        if found is None or found.principal.org_id != current_principal().org_id:
            raise NotFound("PROCESS_UNKNOWN", "There is no such process.")
        return found.process
