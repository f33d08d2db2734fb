"""The sandbox as the commands call it, over one open link."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from google.protobuf.duration_pb2 import Duration

from mesh.cli.session import UNARY_TIMEOUT_S, Link
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from protos.gen.nexus.sandbox.v1 import sandbox_pb2_grpc
from shared.ids import new_id

Events = AsyncGenerator[pb.ExecuteResponse]
# A session's interpreter of an image with many packages has to start first.
_CREATE_TIMEOUT_S = 60.0


class SandboxClient:
    """Calls of the sandbox. A call that fails raises what `Session.connect` says."""

    def __init__(self, link: Link) -> None:
        self._stub = sandbox_pb2_grpc.SandboxServiceStub(link.channel)
        self._metadata = link.metadata

    async def execute(self, request: pb.ExecuteRequest) -> Events:
        """Run a program and yield its events; closing the generator kills it."""
        request.request_id = new_id()
        async for event in self._stub.Execute(request, metadata=self._metadata):
            yield event

    async def run_cell(self, request: pb.ExecuteInSessionRequest, closed: list[bool]) -> Events:
        """Run a cell and yield its events; `closed` gets whether the session is gone with it, at the last one."""
        request.request_id = new_id()
        async for reply in self._stub.ExecuteInSession(request, metadata=self._metadata):
            if reply.event.HasField("finished"):
                closed.append(reply.session_closed)
            yield reply.event

    async def cancel(self, execution_id: str) -> pb.CancelExecutionResponse:
        """Kill a run, or interrupt a cell."""
        request = pb.CancelExecutionRequest(execution_id=execution_id, request_id=new_id())
        return await self._stub.CancelExecution(request, metadata=self._metadata, timeout=UNARY_TIMEOUT_S)

    async def create_session(self, request: pb.CreateSessionRequest) -> pb.CreateSessionResponse:
        """Open a session."""
        request.request_id = new_id()
        return await self._stub.CreateSession(request, metadata=self._metadata, timeout=_CREATE_TIMEOUT_S)

    async def session(self, session_id: str) -> pb.GetSessionResponse:
        """Return a session of the caller."""
        request = pb.GetSessionRequest(session_id=session_id)
        return await self._stub.GetSession(request, metadata=self._metadata, timeout=UNARY_TIMEOUT_S)

    async def sessions(self, limit: int, page: str) -> pb.ListSessionsResponse:
        """Return a page of the caller's sessions."""
        request = pb.ListSessionsRequest(page_size=limit, page_token=page)
        return await self._stub.ListSessions(request, metadata=self._metadata, timeout=UNARY_TIMEOUT_S)

    async def close_session(self, session_id: str) -> pb.CloseSessionResponse:
        """End a session."""
        request = pb.CloseSessionRequest(session_id=session_id, request_id=new_id())
        return await self._stub.CloseSession(request, metadata=self._metadata, timeout=UNARY_TIMEOUT_S)

    async def write(self, session_id: str, path: str, offset: int, data: bytes) -> int:
        """Write a piece of a file, which ends after it; return its size."""
        request = pb.WriteFileRequest(session_id=session_id, path=path, offset=offset, data=data, request_id=new_id())
        reply = await self._stub.WriteFile(request, metadata=self._metadata, timeout=UNARY_TIMEOUT_S)
        return reply.size_bytes

    async def read(self, session_id: str, path: str, offset: int, length: int) -> pb.FileChunk:
        """Return a piece of a file."""
        request = pb.ReadFileRequest(session_id=session_id, path=path, offset=offset, length=length)
        return (await self._stub.ReadFile(request, metadata=self._metadata, timeout=UNARY_TIMEOUT_S)).chunk

    async def files(self, session_id: str) -> pb.ListFilesResponse:
        """Return the files of a session."""
        request = pb.ListFilesRequest(session_id=session_id)
        return await self._stub.ListFiles(request, metadata=self._metadata, timeout=UNARY_TIMEOUT_S)

    async def images(self) -> pb.ListImagesResponse:
        """Return the images."""
        return await self._stub.ListImages(pb.ListImagesRequest(), metadata=self._metadata, timeout=UNARY_TIMEOUT_S)

    async def isolation(self) -> pb.GetIsolationResponse:
        """Return what is enforced around programs."""
        return await self._stub.GetIsolation(pb.GetIsolationRequest(), metadata=self._metadata, timeout=UNARY_TIMEOUT_S)


def seconds(value: float) -> Duration | None:
    """Return a number of seconds as a message; None for 0, which leaves it to the service."""
    if not value:
        return None
    duration = Duration()
    duration.FromNanoseconds(round(value * 1e9))
    return duration
