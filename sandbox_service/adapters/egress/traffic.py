"""Counts what a program sends and receives, and says when it is too much."""

from __future__ import annotations

from collections import Counter

from sandbox_service.domain.egress import EgressLimits, EgressReport, Reached

_MAX_TARGETS = 64
_OTHERS = "*"


class CutError(Exception):
    """A connection ends here, for a reason that is counted."""


class Traffic:
    """The counts of one program."""

    def __init__(self, limits: EgressLimits) -> None:
        self._limits = limits
        self._connections: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._received: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()

    def connected(self, host: str, port: int) -> str:
        """Count a connection; return the name under which its bytes are counted."""
        shown = f"[{host}]" if ":" in host else host
        target = f"{shown}:{port}"
        if target not in self._connections and len(self._connections) >= _MAX_TARGETS:
            target = _OTHERS
        self._connections[target] += 1
        return target

    def refused(self, reason: str) -> None:
        """Count a request that was refused, or a connection that was cut."""
        self._refused[reason] += 1

    def sent(self, target: str, size: int) -> None:
        """Count bytes before they are passed on.

        Raises:
            CutError: they are more than may be; then they are not counted.
        """
        self._count(self._sent, target, size, self._limits.sent_bytes)

    def received(self, target: str, size: int) -> None:
        """Count bytes before they are passed on; as `sent`."""
        self._count(self._received, target, size, self._limits.received_bytes)

    def _count(self, counter: Counter[str], target: str, size: int, most: int) -> None:
        if counter.total() + size > most:
            self.refused("bytes")
            raise CutError
        counter[target] += size

    def report(self) -> EgressReport:
        """Return what was counted so far."""
        reached = tuple(
            Reached(target, count, self._sent[target], self._received[target])
            for target, count in self._connections.items()
        )
        return EgressReport(reached, dict(self._refused))
