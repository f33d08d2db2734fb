"""Runs programs in the sandbox service."""

from __future__ import annotations

import grpc
from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from shared.client import translated_errors
from shared.errors import UpstreamDown
from tool_executor.domain.code_run import CodeRun, CodeStatus, Program

_STATUSES = {
    sandbox_pb2.EXECUTION_STATUS_OK: CodeStatus.OK,
    sandbox_pb2.EXECUTION_STATUS_ERROR: CodeStatus.ERROR,
    sandbox_pb2.EXECUTION_STATUS_TIMEOUT: CodeStatus.TIMEOUT,
    sandbox_pb2.EXECUTION_STATUS_OUT_OF_MEMORY: CodeStatus.OUT_OF_MEMORY,
    sandbox_pb2.EXECUTION_STATUS_OUTPUT_LIMIT: CodeStatus.OUTPUT_LIMIT,
    sandbox_pb2.EXECUTION_STATUS_KILLED: CodeStatus.KILLED,
}


class _Capped:
    """Collects bytes up to a limit and lets the rest go."""

    def __init__(self, limit_bytes: int) -> None:
        self._kept = bytearray()
        self._limit_bytes = limit_bytes

    def add(self, chunk: bytes) -> None:
        """Keep of `chunk` what fits."""
        self._kept += chunk[: self._limit_bytes - len(self._kept)]

    def text(self) -> str:
        """Return what was kept; bytes that are no UTF-8 are replaced."""
        return self._kept.decode("utf-8", "replace")


class GrpcCodeRunner:
    """Calls `SandboxService.Execute` and drains its stream.

    Args:
        channel: to the sandbox service; carries the caller.
        output_limit_bytes: most bytes that a program may print; it is stopped beyond.
    """

    def __init__(self, channel: grpc.aio.Channel, *, output_limit_bytes: int) -> None:
        self._stub = sandbox_pb2_grpc.SandboxServiceStub(channel)
        self._output_limit_bytes = output_limit_bytes

    async def run(self, program: Program) -> CodeRun:
        """Run `program` to its end. Cancelling the call kills the program.

        Raises:
            NexusError: as the port says.
        """
        wall_time = Duration()
        wall_time.FromNanoseconds(round(program.wall_time_s * 1e9))
        request = sandbox_pb2.ExecuteRequest(
            language=sandbox_pb2.LANGUAGE_PYTHON,
            code=program.code,
            stdin=program.stdin.encode(),
            limits=sandbox_pb2.ExecutionLimits(wall_time=wall_time, output_bytes=self._output_limit_bytes),
            request_id=program.request_id,
        )
        stdout, stderr = _Capped(self._output_limit_bytes), _Capped(self._output_limit_bytes)
        finished: sandbox_pb2.ExecutionFinished | None = None
        async with translated_errors("sandbox"):
            call = self._stub.Execute(request, timeout=program.timeout_s)
            try:
                async for event in call:
                    stdout.add(event.stdout)
                    stderr.add(event.stderr)
                    finished = event.finished if event.HasField("finished") else finished
            finally:
                # Whatever ends the reading early also ends the program.
                call.cancel()
        if finished is None or finished.status not in _STATUSES:
            raise UpstreamDown(
                "SANDBOX_ANSWER_BROKEN", "The sandbox did not say how the program ended. Try again in a moment."
            )
        return CodeRun(
            status=_STATUSES[finished.status],
            exit_code=finished.exit_code,
            stdout=stdout.text(),
            stderr=stderr.text(),
            wall_time_s=finished.wall_time.ToNanoseconds() / 1e9,
        )
