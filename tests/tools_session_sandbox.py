"""A sandbox service with sessions in memory, for tests: cells do what the test says, files are a dictionary."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from protos.gen.nexus.sandbox.v1 import sandbox_pb2_grpc
from shared.auth.context import current_principal
from shared.errors import NotFound, PreconditionFailed, QuotaExceeded
from shared.server import Registration, Service

FINISHED = pb.ExecutionFinished(status=pb.EXECUTION_STATUS_OK)


@dataclass
class OpenSession:
    """A session: whose, how it was asked for, its files and cells."""

    owner: tuple[str, str]
    request: pb.CreateSessionRequest
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    cells: list[pb.ExecuteInSessionRequest] = field(default_factory=list[pb.ExecuteInSessionRequest])


class SessionSandbox(sandbox_pb2_grpc.SandboxServiceServicer):
    """Implements the RPCs about sessions.

    Attributes:
        sessions: those that are open.
        most: how many there may be of a user.
        missing_images: images that are not set up.
        on_cell: gives what a cell prints; "hang" hangs, "die" ends the session.
        left: set when a call that hangs is given up.
    """

    def __init__(self) -> None:
        self.sessions: dict[str, OpenSession] = {}
        self.most = 100
        self.missing_images: set[str] = set()
        self.on_cell: Callable[[str], str] = lambda code: code
        self.left = asyncio.Event()

    def service(self) -> Service:
        """Return the service to serve."""
        descriptor = pb.DESCRIPTOR.services_by_name["SandboxService"]
        return Service(
            "sandbox", [Registration(sandbox_pb2_grpc.add_SandboxServiceServicer_to_server, self, descriptor)]
        )

    async def CreateSession(self, request: pb.CreateSessionRequest, context: Any) -> pb.CreateSessionResponse:
        """Open a session, or return the one that was opened under the same request id."""
        owner = _caller()
        if request.image in self.missing_images:
            raise PreconditionFailed("IMAGE_NOT_SET_UP", "It is not set up.")
        mine = {key: each for key, each in self.sessions.items() if each.owner == owner}
        for session_id, each in mine.items():
            if request.request_id and each.request.request_id == request.request_id:
                return pb.CreateSessionResponse(session=pb.Session(session_id=session_id))
        if len(mine) >= self.most:
            raise QuotaExceeded("SANDBOX_BUSY", "Too many sessions.")
        session_id = str(uuid.uuid4())
        self.sessions[session_id] = OpenSession(owner, request)
        return pb.CreateSessionResponse(session=pb.Session(session_id=session_id))

    async def GetSession(self, request: pb.GetSessionRequest, context: Any) -> pb.GetSessionResponse:
        """Return a session."""
        self._mine(request.session_id)
        return pb.GetSessionResponse(session=pb.Session(session_id=request.session_id))

    async def ListSessions(self, request: pb.ListSessionsRequest, context: Any) -> pb.ListSessionsResponse:
        """Return the caller's sessions."""
        mine = [key for key, each in self.sessions.items() if each.owner == _caller()]
        return pb.ListSessionsResponse(sessions=[pb.Session(session_id=key) for key in reversed(mine)])

    async def CloseSession(self, request: pb.CloseSessionRequest, context: Any) -> pb.CloseSessionResponse:
        """End a session."""
        self._mine(request.session_id)
        del self.sessions[request.session_id]
        return pb.CloseSessionResponse()

    async def ExecuteInSession(
        self, request: pb.ExecuteInSessionRequest, context: Any
    ) -> AsyncIterator[pb.ExecuteInSessionResponse]:
        """Print what the test says."""
        session = self._mine(request.session_id)
        session.cells.append(request)
        yield _event(started=pb.ExecutionStarted(execution_id="e1"))
        if request.code == "hang":
            try:
                await asyncio.sleep(60)
            finally:
                self.left.set()
        yield _event(stdout=self.on_cell(request.code).encode())
        forms = [pb.MediaData(media_type="text/plain", data=b"7")]
        yield _event(result=pb.RichOutput(forms=forms))
        if request.code == "die":
            del self.sessions[request.session_id]
        last = _event(finished=FINISHED)
        last.session_closed = request.code == "die"
        yield last

    async def WriteFile(self, request: pb.WriteFileRequest, context: Any) -> pb.WriteFileResponse:
        """Write a piece of a file."""
        files = self._mine(request.session_id).files
        files[request.path] = files.get(request.path, b"")[: request.offset] + request.data
        return pb.WriteFileResponse(size_bytes=len(files[request.path]))

    async def ReadFile(self, request: pb.ReadFileRequest, context: Any) -> pb.ReadFileResponse:
        """Return a piece of a file."""
        data = self._mine(request.session_id).files.get(request.path)
        if data is None:
            raise NotFound("FILE_NOT_FOUND", "There is none.")
        piece = data[request.offset : request.offset + request.length]
        chunk = pb.FileChunk(path=request.path, size_bytes=len(data), data=piece, media_type="text/plain")
        return pb.ReadFileResponse(chunk=chunk)

    async def ListFiles(self, request: pb.ListFilesRequest, context: Any) -> pb.ListFilesResponse:
        """Return the files."""
        files = self._mine(request.session_id).files
        entries = [pb.FileEntry(path=path, size_bytes=len(data)) for path, data in sorted(files.items())]
        for entry in entries:
            entry.modify_time.FromNanoseconds(5)
        return pb.ListFilesResponse(files=entries, truncated=True)

    def _mine(self, session_id: str) -> OpenSession:
        found = self.sessions.get(session_id)
        if found is None or found.owner != _caller():
            raise NotFound("SESSION_UNKNOWN", "There is no such session.")
        return found


def _caller() -> tuple[str, str]:
    who = current_principal()
    return who.org_id, who.user_id


def _event(**fields: Any) -> pb.ExecuteInSessionResponse:
    return pb.ExecuteInSessionResponse(event=pb.ExecuteResponse(**fields))
