"""The RPCs of nexus.sandbox.v1.SandboxService."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

import grpc

from protos.gen.nexus.sandbox.v1 import sandbox_pb2, sandbox_pb2_grpc
from sandbox_service.servicer import convert
from sandbox_service.use_cases.execute_program import ExecuteProgram
from sandbox_service.use_cases.report_isolation import ReportIsolation

_Context = grpc.aio.ServicerContext[Any, Any]


def _setter(event: asyncio.Event) -> Callable[[object], None]:
    """Return a callback that sets `event`."""

    def set_event(_call: object) -> None:
        event.set()

    return set_event


class SandboxServicer(sandbox_pb2_grpc.SandboxServiceServicer):
    """Converts, and calls the use cases."""

    def __init__(self, execute: ExecuteProgram, report: ReportIsolation) -> None:
        self._execute = execute
        self._report = report

    async def Execute(
        self, request: sandbox_pb2.ExecuteRequest, context: _Context
    ) -> AsyncIterator[sandbox_pb2.ExecuteResponse]:
        """Run a program and stream its events."""
        abandoned = asyncio.Event()
        # A call that is cancelled while a message is being sent leaves this generator where it is: the end of the call
        # itself has to kill the program.
        context.add_done_callback(cast("Any", _setter(abandoned)))  # the stub wants a class that grpc does not have
        events = self._execute(convert.program_of(request), convert.limits_of(request), abandoned)
        async with aclosing(events):
            async for event in events:
                yield convert.response_of(event)

    async def GetIsolation(
        self, request: sandbox_pb2.GetIsolationRequest, context: _Context
    ) -> sandbox_pb2.GetIsolationResponse:
        """Report what is enforced."""
        return convert.isolation_of(await self._report())
