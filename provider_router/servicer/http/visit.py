"""One HTTP request while it is served, and the route that it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from provider_router.servicer.http.surface import Surface
from shared.auth.principal import Principal
from shared.http_server.exchange import Reply, Request

Headers: TypeAlias = Sequence[tuple[str, str]]
Serve: TypeAlias = Callable[["Visit"], Awaitable[None]]
JSON = ("content-type", "application/json")
# The last one asks nginx, which holds answers back by default, to pass each event on as it comes.
_EVENTS = (
    ("content-type", "text/event-stream; charset=utf-8"),
    ("cache-control", "no-cache"),
    ("x-accel-buffering", "no"),
)


@dataclass(frozen=True, slots=True)
class Route:
    """What is served at a path, or at all paths of a pattern.

    Attributes:
        path: The path, which is a label of metrics too. One that ends with `/` stands for all below it.
        method: The one method that it takes; empty for any.
        serve: Answers a visit, or raises what its caller is told.
        permission: That callers need; empty where nobody has to say who they are.
        surface: The dialect in which errors are told; None for that of the caller.
    """

    path: str
    method: str
    serve: Serve
    permission: str = ""
    surface: Surface | None = None


@dataclass(slots=True)
class Visit:
    """One request and its reply.

    Attributes:
        request: It.
        reply: To it.
        surface: The dialect in which its caller is told of errors.
        request_id: Of its caller, or made for it. Told by the names that OpenAI's and Anthropic's clients look for.
        principal: Who asks; None until that is known.
        status: That was answered; 0 until then.
        reason: For which it failed; empty while it did not.
        error_headers: That an error's reply has beside those of every error.
    """

    request: Request
    reply: Reply
    surface: Surface
    request_id: str
    principal: Principal | None = None
    status: int = 0
    reason: str = ""
    error_headers: Headers = ()

    def who(self) -> Principal:
        """Who asks.

        Raises:
            LookupError: Nobody was asked: a defect of the route.
        """
        if self.principal is None:
            raise LookupError("the route needs a permission")
        return self.principal

    def send(self, body: bytes, headers: Headers = (), status: int = 200) -> None:
        """Sends the whole reply: JSON."""
        self.status = status
        told_id = self.request_id
        self.reply.send(status, (JSON, ("x-request-id", told_id), ("request-id", told_id), *headers), body)

    def begin(self, headers: Headers, first: bytes) -> None:
        """Begins a reply of server-sent events."""
        self.status = 200
        told_id = self.request_id
        self.reply.begin(200, (*_EVENTS, ("x-request-id", told_id), ("request-id", told_id), *headers), first)
