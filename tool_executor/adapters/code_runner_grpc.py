"""Runs programs in the sandbox service."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from shared.client import translated_errors
from shared.errors import NexusError
from tool_executor.adapters.sandbox_stream import IMAGES, LANGUAGES, SHOWN_BYTES, RunReader, is_missing_image
from tool_executor.domain.code_run import CodeRun, Program
from tool_executor.domain.workspace_file import FileIn, LeftFiles

_ALL_FILES = "**"


class GrpcCodeRunner:
    """Calls `SandboxService.Execute` and drains its stream.

    Args:
        channel: to the sandbox service; carries the caller.
        output_limit_bytes: most bytes that are kept of what a program prints.
    """

    def __init__(self, channel: grpc.aio.Channel, *, output_limit_bytes: int) -> None:
        self._stub = sandbox_pb2_grpc.SandboxServiceStub(channel)
        self._output_limit_bytes = output_limit_bytes

    async def run(self, program: Program, files: Sequence[FileIn] = ()) -> tuple[CodeRun, LeftFiles]:
        """Run `program` to its end. Cancelling the call kills the program.

        Raises:
            NexusError: as the port says.
        """
        *others, last = IMAGES
        for image in others:
            try:
                return await self._run(program, tuple(files), image)
            except NexusError as error:
                if not is_missing_image(error):
                    raise
        return await self._run(program, tuple(files), last)

    async def _run(self, program: Program, files: tuple[FileIn, ...], image: str) -> tuple[CodeRun, LeftFiles]:
        wall_time = Duration()
        wall_time.FromNanoseconds(round(program.wall_time_s * 1e9))
        request = sandbox_pb2.ExecuteRequest(
            language=LANGUAGES[program.language],
            code=program.code,
            stdin=program.stdin.encode(),
            limits=sandbox_pb2.ExecutionLimits(
                wall_time=wall_time, output_bytes=self._output_limit_bytes + SHOWN_BYTES
            ),
            request_id=program.request_id,
            image=image,
            files=[sandbox_pb2.InputFile(path=file.path, data=file.data) for file in files],
            output_paths=[_ALL_FILES],
        )
        reader = RunReader(self._output_limit_bytes, files)
        async with translated_errors("sandbox"):
            call = self._stub.Execute(request, timeout=program.timeout_s)
            try:
                async for event in call:
                    reader.add(event)
            finally:
                # Whatever ends the reading early also ends the program.
                call.cancel()
        return reader.run(), reader.left()
