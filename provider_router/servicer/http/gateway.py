"""Handles every HTTP request: finds its route and its caller, and sees to it that each gets a proper end."""

from __future__ import annotations

import asyncio
import re
import time

from opentelemetry import trace
from opentelemetry.propagate import extract

from provider_router.domain.traffic.call_failure import shutting_down
from provider_router.servicer.http.access import Access
from provider_router.servicer.http.answer_headers import error_headers
from provider_router.servicer.http.request_body import check_content_type, most_of_body
from provider_router.servicer.http.routes import Routes
from provider_router.servicer.http.visit import Route, Visit
from shared.errors import InvalidInput
from shared.http_server.exchange import Reply, Request
from shared.ids import IdSource
from shared.server.mapped_errors import taxonomy_error
from shared.telemetry.logging import get_logger
from shared.telemetry.metrics import HTTP_ACTIVE, HTTP_ERRORS, HTTP_SECONDS
from shared.telemetry.tally import Level, Spread
from shared.telemetry.tracing import Sampling

_log = get_logger(__name__)
_tracer = trace.get_tracer("nexus.http")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_LEFT_STATUS = 499
"""Nobody is there to be told it; nginx has it so."""


class Gateway:
    """The handler of the HTTP server.

    Args:
        routes: What there is.
        access: Who may have it.
        new_id: Makes ids of requests.
        body_bytes: Most of one body, which is what one of unknown size counts for.
        sampling: Says which requests are recorded in traces.
    """

    def __init__(self, routes: Routes, access: Access, new_id: IdSource, body_bytes: int, sampling: Sampling) -> None:
        self._routes = routes
        self._access = access
        self._new_id = new_id
        self._body_bytes = body_bytes
        self._sampling = sampling
        # Looked up by their labels once, not for every request.
        self._seconds: dict[tuple[str, int], Spread] = {}
        self._active: dict[str, Level] = {}

    async def __call__(self, request: Request, reply: Reply) -> None:
        """Answers `request`, with an error where there is no better answer."""
        began_s = time.perf_counter()
        route, surface = self._routes.find(request)
        request_id = request.headers.get("x-request-id", "")
        if not (request_id and _REQUEST_ID.fullmatch(request_id)):
            request_id = self._new_id()
        visit = Visit(request, reply, surface, request_id)
        active = self._active.get(route.path) or self._active_in(route)
        active.inc()
        try:
            if self._sampling.records(request.headers.get("traceparent")):
                await self._recorded(visit, route)
            else:
                await self._answered(visit, route)
        finally:
            active.dec()
            self._record(visit, route, time.perf_counter() - began_s)

    async def _recorded(self, visit: Visit, route: Route) -> None:
        """Answers a visit in a span that belongs to its caller's trace."""
        with _tracer.start_as_current_span(
            f"{visit.request.method} {route.path}",
            context=extract(visit.request.headers),
            kind=trace.SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                await self._answered(visit, route)
            finally:
                span.set_attribute("http.response.status_code", visit.status)
                if visit.reason:
                    span.set_status(trace.StatusCode.ERROR, visit.reason)

    async def _answered(self, visit: Visit, route: Route) -> None:
        """Answers a visit, whatever happens; raises nothing but the caller's departure, and the router's."""
        try:
            await self._served(visit, route)
        except asyncio.CancelledError:
            if visit.reply.is_dismissed:
                _fail(visit, shutting_down())
            else:
                visit.status, visit.reason = visit.status or _LEFT_STATUS, "CALLER_LEFT"
            raise
        except Exception as error:  # noqa: BLE001 - nothing that fails may leave a caller without an answer
            _fail(visit, error)

    async def _served(self, visit: Visit, route: Route) -> None:
        """Answers a visit.

        Raises:
            NexusError: Why there is no better answer than an error.
        """
        request = visit.request
        if route.method and request.method != route.method:
            visit.error_headers = [("allow", route.method)]
            raise InvalidInput("METHOD_NOT_ALLOWED", f"{request.path} takes {route.method}.")
        if not route.permission:
            await route.serve(visit)
            return
        # Before anything of the body is looked at: nobody's bytes are taken before it is known whose they are.
        principal = visit.principal = await self._access.principal_of(request.headers, route.permission)
        size_bytes = 0
        if request.method == "POST":
            check_content_type(request.headers)
            size_bytes = most_of_body(request.headers, self._body_bytes)
        self._access.enter(principal, size_bytes)
        try:
            await route.serve(visit)
        finally:
            self._access.leave(principal, size_bytes)

    def _active_in(self, route: Route) -> Level:
        active = self._active[route.path] = HTTP_ACTIVE.labels(route.path)
        return active

    def _record(self, visit: Visit, route: Route, seconds: float) -> None:
        key = (route.path, visit.status)
        duration = self._seconds.get(key)
        if duration is None:
            method = route.method or "_OTHER"
            duration = self._seconds[key] = HTTP_SECONDS.labels(method, route.path, str(visit.status))
        duration.observe(seconds)
        if not visit.reason:
            return
        HTTP_ERRORS.labels(route.path, visit.reason).inc()
        _log.info(
            "http",
            http_route=route.path,
            status=visit.status,
            reason=visit.reason,
            duration_ms=round(seconds * 1000, 2),
            org_id=visit.principal.org_id if visit.principal else "",
            user_id=visit.principal.user_id if visit.principal else "",
            request_id=visit.request_id,
        )


def _fail(visit: Visit, error: Exception) -> None:
    """Tells the caller of an error that came before the reply; after that, cuts the connection."""
    told = taxonomy_error(error, visit.request.path)
    visit.reason = told.reason
    if visit.reply.has_begun:
        visit.reply.abort()
        return
    status, body = visit.surface.error(told, visit.request_id)
    visit.send(body, [*error_headers(told), *visit.error_headers], status)
