"""The RPCs of nexus.sandbox.v1.SandboxService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

import grpc

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from protos.gen.nexus.sandbox.v1 import sandbox_pb2_grpc
from sandbox_service.domain.order import Caller
from sandbox_service.domain.run_event import OutputChunk, Stream
from sandbox_service.ports.image_store import ImageStore
from sandbox_service.servicer import convert, convert_sessions
from sandbox_service.use_cases.choose_backend import ChooseBackend
from sandbox_service.use_cases.execute_cell import ExecuteCell
from sandbox_service.use_cases.execute_program import ExecuteProgram
from sandbox_service.use_cases.keep_processes import KeepProcesses
from sandbox_service.use_cases.keep_sessions import KeepSessions
from sandbox_service.use_cases.running import Running
from sandbox_service.use_cases.session_files import SessionFiles
from shared.auth.context import current_principal

_Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class UseCases:
    """What the sandbox does."""

    execute: ExecuteProgram
    execute_cell: ExecuteCell
    running: Running
    sessions: KeepSessions
    files: SessionFiles
    processes: KeepProcesses
    images: ImageStore
    backends: ChooseBackend


def _caller() -> Caller:
    principal = current_principal()
    return Caller(principal.org_id, principal.user_id)


def _abandoned_with(context: _Context) -> asyncio.Event:
    """Return an event that is set when the call ends.

    A call that is cancelled while a message is being sent leaves its generator where it is: the end of the call itself
    has to end what it started.
    """
    abandoned = asyncio.Event()

    def abandon(_call: object) -> None:
        abandoned.set()

    context.add_done_callback(cast("Any", abandon))  # the stub wants a class that grpc lacks
    return abandoned


class SandboxServicer(sandbox_pb2_grpc.SandboxServiceServicer):
    """Converts, and calls the use cases."""

    def __init__(self, use_cases: UseCases) -> None:
        self._do = use_cases

    async def Execute(self, request: pb.ExecuteRequest, context: _Context) -> AsyncIterator[pb.ExecuteResponse]:
        """Run a program and stream its events."""
        events = self._do.execute(_caller(), convert.order_of(request), _abandoned_with(context))
        async with aclosing(events):
            async for event in events:
                yield convert.response_of(event)

    async def CancelExecution(
        self, request: pb.CancelExecutionRequest, context: _Context
    ) -> pb.CancelExecutionResponse:
        """Kill a run or interrupt a cell."""
        self._do.running.cancel(_caller(), request.execution_id)
        return pb.CancelExecutionResponse()

    async def CreateSession(self, request: pb.CreateSessionRequest, context: _Context) -> pb.CreateSessionResponse:
        """Open a session."""
        session = await self._do.sessions.open(_caller(), convert_sessions.session_order_of(request))
        return pb.CreateSessionResponse(session=convert_sessions.session_of(session))

    async def GetSession(self, request: pb.GetSessionRequest, context: _Context) -> pb.GetSessionResponse:
        """Return a session."""
        session = self._do.sessions.find(_caller(), request.session_id)
        return pb.GetSessionResponse(session=convert_sessions.session_of(session))

    async def ListSessions(self, request: pb.ListSessionsRequest, context: _Context) -> pb.ListSessionsResponse:
        """Return a page of the caller's sessions."""
        return convert_sessions.page_of(list(self._do.sessions.all(_caller())), request.page_size, request.page_token)

    async def CloseSession(self, request: pb.CloseSessionRequest, context: _Context) -> pb.CloseSessionResponse:
        """End a session."""
        await self._do.sessions.close(_caller(), request.session_id)
        return pb.CloseSessionResponse()

    async def ExecuteInSession(
        self, request: pb.ExecuteInSessionRequest, context: _Context
    ) -> AsyncIterator[pb.ExecuteInSessionResponse]:
        """Run a cell and stream its events."""
        order = convert_sessions.cell_order_of(request)
        events = self._do.execute_cell(_caller(), order, _abandoned_with(context))
        async with aclosing(events):
            async for event, closed in events:
                yield pb.ExecuteInSessionResponse(event=convert.response_of(event), session_closed=closed)

    async def WriteFile(self, request: pb.WriteFileRequest, context: _Context) -> pb.WriteFileResponse:
        """Write a piece of a file."""
        piece = (request.offset, request.data)
        size = await self._do.files.write(_caller(), request.session_id, request.path, piece)
        return pb.WriteFileResponse(size_bytes=size)

    async def ReadFile(self, request: pb.ReadFileRequest, context: _Context) -> pb.ReadFileResponse:
        """Return a piece of a file."""
        piece = await self._do.files.read(_caller(), request.session_id, request.path, request.offset, request.length)
        return pb.ReadFileResponse(chunk=convert.chunk_of(piece))

    async def ListFiles(self, request: pb.ListFilesRequest, context: _Context) -> pb.ListFilesResponse:
        """Return the files of a session."""
        return convert_sessions.listing_of(await self._do.files.list(_caller(), request.session_id))

    async def ListImages(self, request: pb.ListImagesRequest, context: _Context) -> pb.ListImagesResponse:
        """Return the images."""
        return pb.ListImagesResponse(images=[convert.image_of(image) for image in self._do.images.all()])

    async def StartProcess(self, request: pb.StartProcessRequest, context: _Context) -> pb.StartProcessResponse:
        """Start a long-lived program."""
        process_id = await self._do.processes.start(_caller(), convert_sessions.process_order_of(request))
        return pb.StartProcessResponse(process_id=process_id)

    async def WatchProcess(
        self, request: pb.WatchProcessRequest, context: _Context
    ) -> AsyncIterator[pb.WatchProcessResponse]:
        """Stream what a process writes."""
        events = self._do.processes.watch(_caller(), request.process_id)
        async with aclosing(events):
            async for event in events:
                match event:
                    case OutputChunk(Stream.STDOUT, data):
                        yield pb.WatchProcessResponse(stdout=data)
                    case OutputChunk(_, data):
                        yield pb.WatchProcessResponse(stderr=data)
                    case _:
                        yield pb.WatchProcessResponse(finished=convert.finished_of(event))

    async def WriteProcess(self, request: pb.WriteProcessRequest, context: _Context) -> pb.WriteProcessResponse:
        """Write to a process."""
        await self._do.processes.write(_caller(), request.process_id, request.data, end=request.end)
        return pb.WriteProcessResponse()

    async def StopProcess(self, request: pb.StopProcessRequest, context: _Context) -> pb.StopProcessResponse:
        """Kill a process."""
        await self._do.processes.stop_process(_caller(), request.process_id)
        return pb.StopProcessResponse()

    async def GetIsolation(self, request: pb.GetIsolationRequest, context: _Context) -> pb.GetIsolationResponse:
        """Report what is enforced."""
        return convert.isolation_of(await self._do.backends.reports())
