"""What a peer may ask of the HTTP server."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on all that peers send and take; sizes in bytes, times in seconds.

    Times are looked at a few times in the shortest of them and at least once a second, so that a peer may have a
    second more.

    Attributes:
        head_bytes: Request line and headers together.
        target_bytes: The target in the request line: path and query.
        headers: How many.
        head_s: From connecting, or from the first byte of a later request, until the head is there.
        idle_s: That a kept connection waits for its next request.
        body_grace_s: That the body may take however small it is, from when the handler asks for it.
        body_bytes_s: Slowest rate of a body after that.
        bodies_bytes: Of request bodies, over all connections at once.
        unasked_bytes: Of a body that are taken into memory before the handler asks. What comes in one read with the
            head, up to 256 KiB, is taken anyway.
        behind_bytes: That wait to be sent before a writer is told that the client is behind.
        stall_s: That a client may read nothing of what waits for it.
        reply_bytes_s: Slowest rate at which a client takes what is left of a reply that is whole, after `stall_s`.
        unread_bytes: Of replies that wait for their clients, over all connections at once.
        linger_s: That a client whose connection is to end may go on sending, so that it gets its reply.
        connections: Open at once.
        connections_per_peer: Open at once from one address; 0 for no such limit, as behind a proxy.
    """

    head_bytes: int = 32 * 1024
    target_bytes: int = 8 * 1024
    headers: int = 100
    head_s: float = 10.0
    idle_s: float = 75.0
    body_grace_s: float = 10.0
    body_bytes_s: int = 8 * 1024
    bodies_bytes: int = 256 * 1024 * 1024
    unasked_bytes: int = 64 * 1024
    behind_bytes: int = 64 * 1024
    stall_s: float = 30.0
    reply_bytes_s: int = 32 * 1024
    unread_bytes: int = 256 * 1024 * 1024
    linger_s: float = 2.0
    connections: int = 10_000
    connections_per_peer: int = 0

    @property
    def tick_s(self) -> float:
        """How often times are looked at."""
        shortest = min(self.head_s, self.idle_s, self.body_grace_s, self.stall_s, self.linger_s)
        return min(1.0, max(0.01, shortest / 4))
