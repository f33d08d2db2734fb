"""What is served where, and in which dialect."""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.servicer.http.surface import Surface
from provider_router.servicer.http.visit import Route, Visit
from shared.errors import NotFound
from shared.http_server.exchange import Request

_ANTHROPIC_VERSION = "anthropic-version"
_SHOWN = 128


class Routes:
    """Finds the route of a request.

    Args:
        routes: A path that ends with `/` stands for all below it.
        fallback: Tells errors of paths that are not served, and of routes with no dialect of their own.
        anthropic: Does so for callers who say that they speak Anthropic's dialect.
    """

    def __init__(self, routes: Sequence[Route], fallback: Surface, anthropic: Surface) -> None:
        self._exact = {route.path: route for route in routes if not route.path.endswith("/")}
        self._below = [route for route in routes if route.path.endswith("/")]
        self._fallback = fallback
        self._anthropic = anthropic
        # One name for all of them in metrics: strangers must not make labels.
        self._nowhere = Route("other", "", _refuse_path)

    def find(self, request: Request) -> tuple[Route, Surface]:
        """The route of `request`, and the dialect in which its caller is told of errors."""
        path = request.path
        route = self._exact.get(path)
        if route is None:
            below = (each for each in self._below if path.startswith(each.path) and path != each.path)
            route = next(below, self._nowhere)
        return route, route.surface or (self._anthropic if speaks_anthropic(request) else self._fallback)


def speaks_anthropic(request: Request) -> bool:
    """Whether the caller says so, as all of Anthropic's clients do."""
    return _ANTHROPIC_VERSION in request.headers


async def _refuse_path(visit: Visit) -> None:
    raise NotFound("PATH_UNKNOWN", f"Nothing is served at {visit.request.path[:_SHOWN]}.")
