"""Who sent a request, and in which session: what the edge knows, and handlers of MCP need."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from shared.auth.principal import Principal

KEY = "nexus.visitor"
"""Of the entry in the scope of a request."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who sent a request.

    Attributes:
        principal: The caller.
        session_id: Of the session that is known to be the caller's; empty without one.
        recheck: Tells who the caller's key belongs to now; raises Unauthenticated where it works no more.
    """

    principal: Principal
    session_id: str
    recheck: Callable[[], Awaitable[Principal]]


def visitor_of(request: Any) -> Visitor:
    """Return who sent `request`, which the SDK has from the edge."""
    found: Visitor = request.scope[KEY]
    return found
