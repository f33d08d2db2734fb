"""The guard around every RPC, unary and streaming alike: who, may they, is the request well-formed, how did it end.

It is the one place that maps errors to statuses, and the one place outside the supervisor that catches everything.
Health and reflection are not guarded: they carry nothing of a tenant. How many may ask for them is bounded (`lobby`).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
import protovalidate
from google.protobuf.message import DecodeError
from opentelemetry import trace
from opentelemetry.propagate import extract

from shared.auth.authenticator import Authenticator
from shared.auth.context import acting_as
from shared.auth.permissions import require_permission
from shared.auth.principal import Principal
from shared.errors import FieldViolation, InvalidInput, NexusError
from shared.errors.grpc_status import DETAILS_KEY, code_of, message_of, status_details
from shared.server.callers import Callers
from shared.server.lobby import Lobby
from shared.server.mapped_errors import taxonomy_error
from shared.telemetry.logging import get_logger
from shared.telemetry.metrics import RPC_ERRORS, RPC_IN_FLIGHT, RPC_SECONDS
from shared.telemetry.tracing import Sampling, unrecorded

_log = get_logger(__name__)
_tracer = trace.get_tracer("nexus.rpc")
MAX_UNARY_S = 3700.0
"""Longest time that a unary call may take when its caller gave no deadline."""
SLOW_S = 1.0
"""A call that took so long is worth a line in the log though it went well."""
_REQUEST_S = 60.0
_FULLY_CHECKED_BYTES = 16 * 1024


@dataclass(slots=True)
class _Outcome:
    """How a call went, filled in while it runs."""

    code: str = "OK"
    reason: str = ""
    principal: Principal | None = None


class Guard(grpc.aio.ServerInterceptor):
    """Wraps the handlers of one service.

    Args:
        service: short name, the domain of errors.
        permissions: the permission of each RPC by its path; paths that are not there are not guarded.
        authenticator: tells who is calling.
        sampling: tells which calls are recorded in traces.
    """

    def __init__(
        self, service: str, permissions: Mapping[str, str], authenticator: Authenticator, sampling: Sampling
    ) -> None:
        self._service = service
        self._permissions = permissions
        self._authenticator = authenticator
        self._sampling = sampling
        self._wrapped: dict[str, Any] = {}
        self._lobby = Lobby()
        self._callers = Callers()

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Return the guarded handler of the called RPC."""
        method: str = handler_call_details.method
        known = self._wrapped.get(method)
        if known is not None:
            return known
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        wrapped = self._wrap(method, handler) if method in self._permissions else self._lobby.wrap(handler)
        self._wrapped[method] = wrapped
        return wrapped

    def _wrap(self, method: str, handler: Any) -> Any:
        decode = handler.request_deserializer

        async def unary(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            async with self._guarded(method, context), asyncio.timeout(_REQUEST_S) as limit:
                request = _decoded(decode, await _read(context))
                limit.reschedule(asyncio.get_running_loop().time() + MAX_UNARY_S)
                return await handler.unary_unary(request, context)

        async def stream(_: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
            async with self._guarded(method, context):
                async with asyncio.timeout(_REQUEST_S):
                    raw = await _read(context)
                request = _decoded(decode, raw)
                # Written here and closed here: a call cancelled in the middle must end in this task, not whenever
                # the garbage collector comes by.
                async with aclosing(handler.unary_stream(request, context)) as responses:
                    async for response in responses:
                        await context.write(response)

        # Requests are read and decoded inside the guard: nobody's message is taken into memory before it is known who
        # sends it, and bytes that are no message get the taxonomy's error. For that they are registered as streams of
        # requests, which on the wire are the same. The time to read is bounded: a call without a deadline must not hold
        # its place for ever by never sending its request.
        if handler.response_streaming:
            streaming: Any = grpc.stream_stream_rpc_method_handler
            return streaming(stream, None, handler.response_serializer)
        single: Any = grpc.stream_unary_rpc_method_handler
        return single(unary, None, handler.response_serializer)

    @asynccontextmanager
    async def _guarded(self, method: str, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncGenerator[None, None]:
        metadata = {k: v for k, v in context.invocation_metadata() or () if isinstance(v, str)}
        outcome = _Outcome()
        started = time.perf_counter()
        in_flight = RPC_IN_FLIGHT.labels(method)
        in_flight.inc()
        with self._span(method, metadata) as span:
            try:
                # Noted before it is known whether they may: the log names who tried.
                outcome.principal = await self._authenticator.authenticate(metadata.get("authorization"))
                require_permission(outcome.principal, self._permissions[method])
                with self._callers.counted(outcome.principal), acting_as(outcome.principal):
                    yield
            except asyncio.CancelledError:
                outcome.code, outcome.reason = grpc.StatusCode.CANCELLED.name, "CALLER_LEFT"
                raise
            except Exception as error:  # noqa: BLE001  # the one place that maps every error
                mapped = taxonomy_error(error, method)
                outcome.code, outcome.reason = code_of(mapped).name, mapped.reason
                await self._abort(context, mapped, span)
            finally:
                in_flight.dec()
                self._record(method, outcome, time.perf_counter() - started)
                span.set_attribute("rpc.grpc.status_code", outcome.code)

    def _span(self, method: str, metadata: Mapping[str, str]) -> AbstractContextManager[trace.Span]:
        """Return what draws the span of a call; it has a trace id in any case."""
        if self._sampling.records(metadata.get("traceparent")):
            return _tracer.start_as_current_span(
                method[1:], context=extract(metadata), kind=trace.SpanKind.SERVER, record_exception=False
            )
        return trace.use_span(unrecorded(metadata), record_exception=False, set_status_on_exception=False)

    async def _abort(self, context: grpc.aio.ServicerContext[Any, Any], error: NexusError, span: trace.Span) -> None:
        error.metadata = {**error.metadata, "trace_id": format(span.get_span_context().trace_id, "032x")}
        span.set_status(trace.StatusCode.ERROR, error.reason)
        await context.abort(
            code_of(error),
            message_of(error),
            trailing_metadata=((DETAILS_KEY, status_details(error, self._service)),),
        )

    def _record(self, method: str, outcome: _Outcome, seconds: float) -> None:
        RPC_SECONDS.labels(method, outcome.code).observe(seconds)
        if outcome.reason:
            RPC_ERRORS.labels(method, outcome.reason).inc()
        # A line for each call would cost more than some calls: metrics and traces have those that went well.
        note = _log.info if outcome.reason or seconds >= SLOW_S else _log.debug
        note(
            "rpc",
            rpc_method=method,
            code=outcome.code,
            reason=outcome.reason,
            duration_ms=round(seconds * 1000, 2),
            org_id=outcome.principal.org_id if outcome.principal else "",
            user_id=outcome.principal.user_id if outcome.principal else "",
        )


async def _read(context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
    """Return the bytes of the call's one request."""
    raw: Any = await context.read()
    if not isinstance(raw, bytes):
        raise InvalidInput("REQUEST_MALFORMED", "The call ended before it sent a request.")
    return raw


def _decoded(decode: Any, raw: bytes) -> Any:
    """Return the request in `raw`, well-formed and valid by its contract's constraints."""
    try:
        request = decode(raw)
    except (DecodeError, UnicodeDecodeError, ValueError) as error:
        raise InvalidInput(
            "REQUEST_MALFORMED", "The request is no message of this method, or a text in it is not UTF-8."
        ) from error
    try:
        # A large request may break a rule a million times: then the first time must do, since to find them all would
        # keep everybody else waiting for minutes.
        protovalidate.validate(request, fail_fast=len(raw) > _FULLY_CHECKED_BYTES)
    except protovalidate.ValidationError as error:
        violations = [FieldViolation(_path(v.proto.field), v.proto.message) for v in error.violations]
        text = "; ".join(f"{v.field} {v.description}" for v in violations)
        raise InvalidInput("REQUEST_INVALID", f"The request is not valid: {text}.", violations=violations) from error
    return request


def _path(field: Any) -> str:
    """Return the dotted path of the field that a violation names; empty for a rule over the whole message."""
    return ".".join(element.field_name for element in field.elements) if field else ""
