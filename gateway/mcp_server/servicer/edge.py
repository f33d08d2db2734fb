"""The MCP endpoint as an edge of the service: who may come in, and how each request ends."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gateway.mcp_server.domain.errors import Reason, failure
from gateway.mcp_server.servicer.bodies import check_values
from gateway.mcp_server.servicer.doors import Doors
from gateway.mcp_server.servicer.edge_settings import EdgeSettings
from gateway.mcp_server.servicer.visitor import Visitor
from shared.auth.authenticator import API_KEY_PREFIX, Authenticator
from shared.auth.context import acting_as
from shared.auth.principal import Principal
from shared.errors import NexusError, QuotaExceeded, Unauthenticated, UpstreamDown
from shared.errors.http_status import http_status_of
from shared.http_server.exchange import Reply, Request
from shared.http_server.server import HttpServer
from shared.server.callers import Callers
from shared.server.mapped_errors import taxonomy_error
from shared.telemetry.logging import get_logger
from shared.telemetry.metrics import HTTP_ACTIVE, HTTP_ERRORS, HTTP_SECONDS

if TYPE_CHECKING:
    from gateway.mcp_server.servicer.endpoint import Endpoint

_log = get_logger(__name__)
PATH = "/mcp"
_HEALTH = "/healthz"
_METHODS = ("POST", "GET", "DELETE")
_OK, _LEFT_STATUS = 200, 499
_JSON = ("content-type", "application/json")
_SCHEME = "bearer"
# As JSON-RPC leaves it to servers; `mcp_errors.REFUSED` without the SDK.
_REFUSED = -32000
Headers = Sequence[tuple[str, str]]


@dataclass(slots=True)
class _Visit:
    """One request while it is answered."""

    request: Request
    reply: Reply
    route: str
    principal: Principal | None = None
    status: int = 0
    reason: str = ""


class McpEdge:
    """Implements `Edge`: MCP over streamable HTTP.

    Args:
        settings: How it is served.
        endpoint: Makes what answers callers who are known; called in a thread when the first one comes.
    """

    def __init__(self, settings: EdgeSettings, endpoint: Callable[[], Endpoint]) -> None:
        self._settings = settings
        self._make_endpoint = endpoint
        self._endpoint: Endpoint | None = None
        self._making = asyncio.Lock()
        self._doors = Doors(settings.allowed_hosts, settings.allowed_origins)
        self._callers = Callers(settings.calls_per_caller)
        self._authenticator: Authenticator | None = None
        self._server: HttpServer | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port that it listens at; for tests, which ask for any free one."""
        return self._server.address if self._server else ("", 0)

    async def start(self, authenticator: Authenticator) -> None:
        """See `Edge.start`."""
        self._authenticator = authenticator
        self._server = HttpServer(self._handle, self._settings.limits, _refusal)
        await self._server.start((self._settings.host, self._settings.port))
        host, port = self._server.address
        _log.info("mcp_ready", address=f"{host}:{port}")

    async def stop(self, drain_s: float) -> None:
        """See `Edge.stop`."""
        if self._endpoint is not None:
            # Who only listens would be waited for in vain.
            self._endpoint.hush()
        if self._server is not None:
            await self._server.stop(drain_s)
        if self._endpoint is not None:
            await self._endpoint.stop()

    async def _handle(self, request: Request, reply: Reply) -> None:
        """Answer one request, whatever happens."""
        began_s = time.perf_counter()
        route = request.path if request.path in (PATH, _HEALTH) else "other"
        visit = _Visit(request, reply, route)
        active = HTTP_ACTIVE.labels(route)
        active.inc()
        try:
            await self._serve(visit)
        except asyncio.CancelledError:
            if reply.is_dismissed:
                _fail(visit, UpstreamDown("SHUTTING_DOWN", "The MCP server stops. Try again in a moment."))
            elif reply.has_begun:
                # Clients close a stream as soon as they have what they wait for, also before its end.
                visit.status = _OK
            else:
                visit.status, visit.reason = _LEFT_STATUS, "CALLER_LEFT"
            raise
        except Exception as error:  # noqa: BLE001 - nothing that fails may leave a caller without an answer
            _fail(visit, taxonomy_error(error, request.path))
        finally:
            active.dec()
            _record(visit, time.perf_counter() - began_s)

    async def _serve(self, visit: _Visit) -> None:
        request = visit.request
        self._doors.check(request.headers)
        if visit.route == _HEALTH and request.method == "GET":
            visit.status = _OK
            visit.reply.send(_OK, [_JSON], b'{"status":"ok"}')
            return
        if visit.route != PATH:
            raise failure(Reason.PATH_UNKNOWN, f"Nothing is served here but {PATH}.")
        if request.method not in _METHODS:
            raise failure(Reason.METHOD_NOT_ALLOWED, f"{PATH} takes {', '.join(_METHODS)}.")
        # Before anything of the body is looked at: nobody's bytes are taken before it is known whose they are.
        key = _key_in(request)
        principal = visit.principal = await self._owner_of(key)
        with self._callers.counted(principal), acting_as(principal):
            body = await request.body(self._settings.body_bytes) if request.method == "POST" else b""
            check_values(body)
            visitor = Visitor(principal, "", lambda: self._owner_of(key))
            visit.status = await (await self._made())(request, body, visit.reply, visitor)

    async def _made(self) -> Endpoint:
        """Return the endpoint. The first caller waits a second for it, and keeps nobody else waiting."""
        async with self._making:
            if self._endpoint is None:
                self._endpoint = await asyncio.to_thread(self._make_endpoint)
            return self._endpoint

    async def _owner_of(self, key: str) -> Principal:
        if self._authenticator is None:
            raise RuntimeError("requests come after the start")
        return await self._authenticator.owner_of(key)


def _key_in(request: Request) -> str:
    """Return the API key of a request. Tokens of the mesh are not taken: services call each other over gRPC."""
    scheme, _, credential = request.headers.get("authorization", "").partition(" ")
    key = credential.strip()
    if scheme.lower() != _SCHEME or not key.startswith(API_KEY_PREFIX):
        raise Unauthenticated("CREDENTIAL_MISSING", "Send your API key of Nexus: `Authorization: Bearer nxk_...`.")
    return key


def _fail(visit: _Visit, error: NexusError) -> None:
    """Tell the caller of an error that came before the reply; after that, cut the connection."""
    visit.reason = error.reason
    if visit.reply.has_begun:
        visit.reply.abort()
        return
    visit.status, headers, body = _refusal(error)
    visit.reply.send(visit.status, headers, body)


def _refusal(error: NexusError) -> tuple[int, Headers, bytes]:
    """Return `error` as a reply: a JSON-RPC error that answers no request of its own."""
    told = {"code": _REFUSED, "message": error.message, "data": {"reason": error.reason}}
    headers: list[tuple[str, str]] = [_JSON]
    if isinstance(error, Unauthenticated):
        # RFC 6750: a caller who showed no credential is told of none that is wrong.
        wrong = "" if error.reason == "CREDENTIAL_MISSING" else ', error="invalid_token"'
        headers.append(("www-authenticate", f'Bearer realm="nexus"{wrong}'))
    if error.reason == Reason.METHOD_NOT_ALLOWED:
        headers.append(("allow", ", ".join(_METHODS)))
    if error.retry_after_s is not None or isinstance(error, QuotaExceeded):
        headers.append(("retry-after", str(max(1, math.ceil(error.retry_after_s or 1)))))
    return http_status_of(error), headers, json.dumps({"jsonrpc": "2.0", "id": None, "error": told}).encode()


def _record(visit: _Visit, seconds: float) -> None:
    method = visit.request.method if visit.request.method in _METHODS else "_OTHER"
    HTTP_SECONDS.labels(method, visit.route, str(visit.status)).observe(seconds)
    if not visit.reason:
        return
    HTTP_ERRORS.labels(visit.route, visit.reason).inc()
    _log.info(
        "http",
        http_route=visit.route,
        status=visit.status,
        reason=visit.reason,
        duration_ms=round(seconds * 1000, 2),
        org_id=visit.principal.org_id if visit.principal else "",
        user_id=visit.principal.user_id if visit.principal else "",
    )
