"""The workspace of a conversation, while a call uses it: one session of the sandbox service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from shared.client import translated_errors
from shared.errors import NotFound
from tool_executor.adapters.sandbox_stream import RunReader
from tool_executor.adapters.workspace_cells import shell_cell, stdin_cell
from tool_executor.domain.code_run import CodeLanguage, CodeRun, Program
from tool_executor.domain.workspace_file import FileEntry, FileListing, FilePart

if TYPE_CHECKING:
    from protos.gen.nexus.sandbox.v1.sandbox_pb2_grpc import SandboxServiceAsyncStub

_FILE_S = 30.0


class SessionWorkspace:
    """Implements `Workspace`.

    Args:
        stub: of the sandbox service.
        session_id: the session.
        restarted: whether there was another before.
        reads_stdin: whether an earlier call gave it something to read, which the next one must not find.
        output_limit_bytes: most bytes that are kept of what a cell prints.
    """

    def __init__(
        self,
        stub: SandboxServiceAsyncStub,
        session_id: str,
        *,
        restarted: bool,
        reads_stdin: bool,
        output_limit_bytes: int,
    ) -> None:
        self._stub = stub
        self._session_id = session_id
        self._restarted = restarted
        self.reads_stdin = reads_stdin
        self._output_limit_bytes = output_limit_bytes

    @property
    def restarted(self) -> bool:
        """See the port."""
        return self._restarted

    async def run(self, program: Program) -> CodeRun:
        """See the port."""
        if program.language is CodeLanguage.SHELL:
            return await self._cell(shell_cell(program.code, program.stdin), program)
        if program.stdin or self.reads_stdin:
            self.reads_stdin = bool(program.stdin)
            await self._cell(stdin_cell(program.stdin), program)
        return await self._cell(program.code, program)

    async def write(self, path: str, pieces: AsyncIterator[bytes], *, append: bool = False) -> int:
        """See the port."""
        # Also a file without a byte comes to be, and what stood in one that is written anew goes.
        size = await self._write(path, await self._size(path) if append else 0, b"")
        async for piece in pieces:
            size = await self._write(path, size, piece)
        return size

    async def read(self, path: str, offset: int, length: int) -> FilePart:
        """See the port."""
        request = pb.ReadFileRequest(session_id=self._session_id, path=path, offset=offset, length=length)
        async with translated_errors("sandbox"):
            reply: pb.ReadFileResponse = await self._stub.ReadFile(request, timeout=_FILE_S)
        return FilePart(reply.chunk.data, reply.chunk.size_bytes, reply.chunk.media_type)

    async def files(self) -> FileListing:
        """See the port."""
        request = pb.ListFilesRequest(session_id=self._session_id)
        async with translated_errors("sandbox"):
            reply: pb.ListFilesResponse = await self._stub.ListFiles(request, timeout=_FILE_S)
        files = tuple(FileEntry(file.path, file.size_bytes, file.modify_time.ToNanoseconds()) for file in reply.files)
        return FileListing(files, reply.truncated)

    async def _cell(self, code: str, program: Program) -> CodeRun:
        wall_time = Duration()
        wall_time.FromNanoseconds(round(program.wall_time_s * 1e9))
        request = pb.ExecuteInSessionRequest(
            session_id=self._session_id, code=code, wall_time=wall_time, request_id=program.request_id
        )
        reader, ended = RunReader(self._output_limit_bytes), False
        async with translated_errors("sandbox"):
            call = self._stub.ExecuteInSession(request, timeout=program.timeout_s)
            try:
                async for reply in call:
                    reader.add(reply.event)
                    ended = reply.session_closed
            finally:
                # Whatever ends the reading early also interrupts the cell.
                call.cancel()
        return reader.run(session_ended=ended)

    async def _size(self, path: str) -> int:
        try:
            return (await self.read(path, 0, 1)).size_bytes
        except NotFound as error:
            if error.reason != "FILE_NOT_FOUND":
                raise
            return 0

    async def _write(self, path: str, offset: int, data: bytes) -> int:
        request = pb.WriteFileRequest(session_id=self._session_id, path=path, offset=offset, data=data)
        async with translated_errors("sandbox"):
            reply: pb.WriteFileResponse = await self._stub.WriteFile(request, timeout=_FILE_S)
        return reply.size_bytes
