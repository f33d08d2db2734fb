"""What runs now, so that it can be cancelled by its id."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

from sandbox_service.domain.errors import execution_unknown
from sandbox_service.domain.order import Caller
from sandbox_service.domain.outcome import KillReason

Kill = Callable[[KillReason], None]


class Running:
    """The runs and cells of this process."""

    def __init__(self) -> None:
        self._kills: dict[tuple[str, str], Kill] = {}

    @contextmanager
    def entered(self, caller: Caller, execution_id: str, kill: Kill) -> Generator[None]:
        """Let it be cancelled while the context is open."""
        key = (caller.org_id, execution_id)
        self._kills[key] = kill
        try:
            yield
        finally:
            del self._kills[key]

    def cancel(self, caller: Caller, execution_id: str) -> None:
        """Kill a run of the caller's organisation, or interrupt a cell.

        Raises:
            NotFound: EXECUTION_UNKNOWN.
        """
        kill = self._kills.get((caller.org_id, execution_id))
        if kill is None:
            raise execution_unknown(execution_id)
        kill(KillReason.CANCELLED)
