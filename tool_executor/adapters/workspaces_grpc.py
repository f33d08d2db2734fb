"""Workspaces of conversations, each a session of the sandbox service."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import grpc
from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from protos.gen.nexus.sandbox.v1 import sandbox_pb2_grpc
from shared.client import translated_errors
from shared.errors import NexusError, NotFound, QuotaExceeded
from tool_executor.adapters.sandbox_stream import IMAGES, SHOWN_BYTES, is_missing_image
from tool_executor.adapters.workspace_session import SessionWorkspace
from tool_executor.domain.tool_call import CallContext, ToolFailure

_OPEN_S = 30.0
_ASK_S = 5.0
_MOST_REMEMBERED = 10_000
_MOST_LISTED = 500
_Key = tuple[str, str, str]


@dataclass(slots=True)
class _Held:
    """What is known of a conversation's session; `session_id` is empty before the first and stays when it is gone."""

    session_id: str = ""
    reads_stdin: bool = False
    calls: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class GrpcWorkspaces:
    """Opens a session when a conversation first needs one, and anew when it is gone.

    When the sandbox has no place left, the session of the same user that has rested longest gives way: its conversation
    is told when it comes back. Sessions that were not opened here are left alone.

    Args:
        channel: to the sandbox service; carries the caller, whose sessions they are.
        wall_time_s: longest time of a cell.
        output_limit_bytes: most bytes that are kept of what a cell prints.
    """

    def __init__(self, channel: grpc.aio.Channel, *, wall_time_s: float, output_limit_bytes: int) -> None:
        self._stub = sandbox_pb2_grpc.SandboxServiceStub(channel)
        self._wall_time_s = wall_time_s
        self._output_limit_bytes = output_limit_bytes
        self._held: OrderedDict[_Key, _Held] = OrderedDict()

    @asynccontextmanager
    async def used(self, call: CallContext) -> AsyncGenerator[SessionWorkspace, None]:
        """See the port."""
        conversation_id = call.origin.conversation_id
        if not conversation_id:
            raise _needs_conversation()
        key = (call.principal.org_id, call.principal.user_id, conversation_id)
        held = self._held.setdefault(key, _Held())
        self._held.move_to_end(key)
        held.calls += 1
        try:
            async with held.turn:
                restarted = await self._ensure(key, held)
                workspace = SessionWorkspace(
                    self._stub,
                    held.session_id,
                    restarted=restarted,
                    reads_stdin=held.reads_stdin,
                    output_limit_bytes=self._output_limit_bytes,
                )
                try:
                    yield workspace
                finally:
                    held.reads_stdin = workspace.reads_stdin
        finally:
            held.calls -= 1
            self._forget()

    async def _ensure(self, key: _Key, held: _Held) -> bool:
        """Make sure that there is a session; return whether there was another before."""
        before = held.session_id
        if before:
            with suppress(NotFound):
                async with translated_errors("sandbox"):
                    await self._stub.GetSession(pb.GetSessionRequest(session_id=before), timeout=_ASK_S)
                return False
        held.session_id, held.reads_stdin = await self._opened(key), False
        return bool(before)

    async def _opened(self, key: _Key) -> str:
        try:
            return await self._open(key[2])
        except QuotaExceeded:
            if not await self._make_room(key):
                raise
        return await self._open(key[2])

    async def _open(self, conversation_id: str) -> str:
        *others, last = IMAGES
        for image in others:
            try:
                return await self._open_in(image, conversation_id)
            except NexusError as error:
                if not is_missing_image(error):
                    raise
        return await self._open_in(last, conversation_id)

    async def _open_in(self, image: str, conversation_id: str) -> str:
        wall_time = Duration()
        wall_time.FromNanoseconds(round(self._wall_time_s * 1e9))
        request = pb.CreateSessionRequest(
            language=pb.LANGUAGE_PYTHON,
            image=image,
            limits=pb.ExecutionLimits(wall_time=wall_time, output_bytes=self._output_limit_bytes + SHOWN_BYTES),
            # A call that was given up, or a service that was started anew, finds the session that it opened.
            request_id=f"conversation:{conversation_id}",
        )
        async with translated_errors("sandbox"):
            reply: pb.CreateSessionResponse = await self._stub.CreateSession(request, timeout=_OPEN_S)
        return reply.session.session_id

    async def _make_room(self, key: _Key) -> bool:
        """Close the session of the same user that has rested longest; return whether there was one."""
        async with translated_errors("sandbox"):
            reply: pb.ListSessionsResponse = await self._stub.ListSessions(
                pb.ListSessionsRequest(page_size=_MOST_LISTED), timeout=_ASK_S
            )
        there = {session.session_id for session in reply.sessions}
        for other, held in self._held.items():  # in the order of their last calls
            if other[:2] == key[:2] and not held.calls and held.session_id in there:
                await self._close(held)
                return True
        return False

    async def _close(self, held: _Held) -> None:
        held.calls += 1  # so that nobody else closes it too
        try:
            async with held.turn:  # a call that comes meanwhile finds it closed, and opens another
                with suppress(NotFound):
                    async with translated_errors("sandbox"):
                        request = pb.CloseSessionRequest(session_id=held.session_id)
                        await self._stub.CloseSession(request, timeout=_ASK_S)
        finally:
            held.calls -= 1

    def _forget(self) -> None:
        resting = (key for key, held in list(self._held.items()) if not held.calls)
        while len(self._held) > _MOST_REMEMBERED and (oldest := next(resting, None)):
            del self._held[oldest]


def _needs_conversation() -> ToolFailure:
    return ToolFailure(
        "WORKSPACE_NEEDS_CONVERSATION",
        "This tool works in the workspace of a conversation, and this call belongs to none. Call it with a "
        "conversation_id (`nexus tools call --conversation ID`), or have an agent call it.",
    )
