"""How the MCP endpoint is served."""

from __future__ import annotations

from dataclasses import dataclass

from shared.http_server.limits import Limits


@dataclass(frozen=True, slots=True)
class EdgeSettings:
    """How the MCP endpoint is served.

    Attributes:
        host: Name or address to listen at, without brackets.
        port: To listen at; 0 for any free one.
        allowed_hosts: What the server may be called, without ports, beside the names of the loopback.
        allowed_origins: Of web pages that may call, beside those of the loopback.
        body_bytes: Most of one request.
        calls_per_caller: Requests and streams that one user may have open.
        sessions_per_key: Sessions of one API key.
        session_idle_s: After which an unused session ends.
        lists_every_s: Between two looks at the lists of a listening client.
        limits: Of the server under it.
    """

    host: str
    port: int
    allowed_hosts: frozenset[str]
    allowed_origins: frozenset[str]
    body_bytes: int
    calls_per_caller: int
    sessions_per_key: int
    session_idle_s: float
    lists_every_s: float
    limits: Limits
