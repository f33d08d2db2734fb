"""Runs a canary in a sandbox."""

from __future__ import annotations

from sandbox_service.adapters.namespaces.failures import LaunchFailedError
from sandbox_service.domain.program import Program
from sandbox_service.domain.run_event import Finished, OutputChunk, Stream
from sandbox_service.ports.sandbox import Sandbox


async def run_canary(sandbox: Sandbox, execution_id: str, program: Program) -> tuple[bytes, Finished]:
    """Return the standard output of a canary, and its end; the sandbox is destroyed.

    Raises:
        LaunchFailedError: when it has no end, because the service stops.
    """
    output = b""
    finished: Finished | None = None
    try:
        async for event in sandbox.run(execution_id, program):
            match event:
                case OutputChunk(Stream.STDOUT, data):
                    output += data
                case Finished():
                    finished = event
                case _:
                    pass
    finally:
        await sandbox.destroy()
    if finished is None:
        raise LaunchFailedError("canary", 0, "the service stops")
    return output, finished
