"""A transport for the SDK whose server is a program in the sandbox: lines of JSON over gRPC."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, suppress

import anyio
import grpc
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, jsonrpc_message_adapter

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from shared.auth.context import acting_as
from shared.auth.principal import Principal
from shared.client import translated_errors
from shared.errors import NexusError
from shared.json_values import has_too_many_values
from tool_executor.adapters.mcp.limits import McpLimits
from tool_executor.adapters.mcp.watch import NEEDED, Watch
from tool_executor.domain.mcp_server import McpFailure, StdioTransport

_START_S = 20.0
_WRITE_S = 30.0
_STOP_S = 5.0
_LAST_WORDS_S = 2.0
_WRITE_BYTES = 1_048_576
_TOLD_BYTES = 4_096
# How a notification begins as everybody writes it; one that begins otherwise is parsed whole.
_HEAD = re.compile(rb'\s*\{\s*(?:"jsonrpc"\s*:\s*"2\.0"\s*,\s*)?"method"\s*:\s*"(notifications/[a-z_/]{1,64})"')
_CANNOT_RUN = frozenset({126, 127})  # as shells say it, and the sandbox

Streams = tuple[MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]]


class SandboxProcess:
    """One program: what it says, and the end of what it complains about.

    Args:
        channel: to the sandbox service.
        runner: as whom the program is run.
        limits: how long a line may be.
        watch: counts what comes in, and is told when the program ends.
    """

    def __init__(self, channel: grpc.aio.Channel, runner: Principal, limits: McpLimits, watch: Watch) -> None:
        self._stub = sandbox_pb2_grpc.SandboxServiceStub(channel)
        self._runner = runner
        self._limits = limits
        self._watch = watch
        self._complaints: deque[bytes] = deque()
        self._said_all = anyio.Event()

    @property
    def complaints(self) -> str:
        """The end of what the program wrote to its standard error. May hold anything that the program knows."""
        return b"".join(self._complaints)[-_TOLD_BYTES:].decode("utf-8", "replace")

    @asynccontextmanager
    async def running(self, transport: StdioTransport) -> AsyncGenerator[Streams, None]:
        """Start the program and give its streams; it is stopped when the block is left, however that is.

        Raises:
            McpFailure: when the sandbox refuses or does not answer.
        """
        process_id = await self._start(transport)
        try:
            to_session, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            outgoing, from_session = anyio.create_memory_object_stream[SessionMessage](0)
            async with to_session, incoming, outgoing, from_session, anyio.create_task_group() as group:
                group.start_soon(self._read, process_id, to_session)
                group.start_soon(self._write, process_id, from_session)
                try:
                    yield incoming, outgoing
                finally:
                    group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await self._stop(process_id)

    async def _start(self, transport: StdioTransport) -> str:
        request = sandbox_pb2.StartProcessRequest(
            argv=transport.argv,
            environment=[
                sandbox_pb2.EnvironmentVariable(name=each.name, value=each.value) for each in transport.environment
            ],
            read_only_paths=transport.read_only_paths,
            writable_paths=transport.writable_paths,
            egress=transport.egress,
        )
        try:
            with acting_as(self._runner):
                async with translated_errors("sandbox"):
                    reply: sandbox_pb2.StartProcessResponse = await self._stub.StartProcess(request, timeout=_START_S)
        except NexusError as error:
            raise McpFailure(f"the sandbox does not start it: {error.message}") from error
        return reply.process_id

    async def _stop(self, process_id: str) -> None:
        # It may have ended by itself; and a sandbox that does not answer now ends it when this service is gone.
        with suppress(grpc.aio.AioRpcError), acting_as(self._runner):
            await self._stub.StopProcess(sandbox_pb2.StopProcessRequest(process_id=process_id), timeout=_STOP_S)

    async def _read(self, process_id: str, to_session: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        why = "its program ended"
        try:
            async with to_session, aclosing(self._lines(process_id)) as lines:
                async for line in lines:
                    await to_session.send(_parsed(line))
        except McpFailure as failure:
            why = failure.message
        except NexusError as error:
            why = f"the sandbox failed it: {error.message}"
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            why = "the connection was closed"
        self._watch.end(why)
        self._said_all.set()

    async def _lines(self, process_id: str) -> AsyncGenerator[bytes, None]:
        """Give the lines that the program writes.

        Raises:
            McpFailure: when it ends, and how; or a line is too long.
        """
        rest = bytearray()
        with acting_as(self._runner):
            call = self._stub.WatchProcess(sandbox_pb2.WatchProcessRequest(process_id=process_id))
        try:
            async with translated_errors("sandbox"):
                async for event in call:
                    if event.HasField("finished"):
                        raise McpFailure(_end_of(event.finished))
                    self._note(event.stderr)
                    self._watch.take_bytes(len(event.stdout) + len(event.stderr))
                    whole, newline, after = event.stdout.rpartition(b"\n")
                    if newline:
                        for line in bytes(rest + whole).split(b"\n"):
                            self._require_size(line)
                            yield line
                        rest.clear()
                    rest += after
                    self._require_size(rest)
        finally:
            call.cancel()

    def _require_size(self, line: bytes | bytearray) -> None:
        if len(line) > self._limits.message_bytes:
            raise McpFailure("it writes a line that is too long")

    def _note(self, complaint: bytes) -> None:
        if complaint:
            self._complaints.append(complaint[-_TOLD_BYTES:])
        while sum(map(len, self._complaints)) - len(self._complaints[0] if self._complaints else b"") >= _TOLD_BYTES:
            self._complaints.popleft()

    async def _write(self, process_id: str, from_session: MemoryObjectReceiveStream[SessionMessage]) -> None:
        try:
            async with from_session:
                async for item in from_session:
                    line = item.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n"
                    for start in range(0, len(line), _WRITE_BYTES):
                        await self._write_some(process_id, line[start : start + _WRITE_BYTES])
        except NexusError as error:
            with anyio.move_on_after(_LAST_WORDS_S):
                # How the program ended says more, and comes over the other stream.
                await self._said_all.wait()
            self._watch.end(f"it takes no input: {error.message}")

    async def _write_some(self, process_id: str, data: bytes) -> None:
        request = sandbox_pb2.WriteProcessRequest(process_id=process_id, data=data)
        with acting_as(self._runner):
            async with translated_errors("sandbox"):
                await self._stub.WriteProcess(request, timeout=_WRITE_S)


def _end_of(finished: sandbox_pb2.ExecutionFinished) -> str:
    """Return how a program ended, in words."""
    if finished.status == sandbox_pb2.EXECUTION_STATUS_OUT_OF_MEMORY:
        return "its program used more memory than it may"
    if finished.signal:
        return f"its program was ended by signal {finished.signal}"
    missing = ": it, or a program that it starts, cannot be run" if finished.exit_code in _CANNOT_RUN else ""
    return f"its program ended with exit code {finished.exit_code}{missing}"


def _parsed(line: bytes) -> SessionMessage | Exception:
    """Return the message in `line`, or why it is none.

    Raises:
        McpFailure: when it has more values than may be parsed.
    """
    head = _HEAD.match(line)
    if head and (method := head[1].decode()) not in NEEDED:
        # Only that it came is of interest: it is not parsed any further.
        return SessionMessage(JSONRPCNotification(jsonrpc="2.0", method=method))
    if has_too_many_values(line):
        raise McpFailure("it writes a line with too many values")
    try:
        return SessionMessage(jsonrpc_message_adapter.validate_json(line, by_name=False))
    except ValueError as error:
        return error
