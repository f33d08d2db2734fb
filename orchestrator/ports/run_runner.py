"""What makes accepted runs happen. In process for now; a durable engine can take its place."""

from __future__ import annotations

from typing import Protocol

from orchestrator.domain.run import RunTicket


class RunRunner(Protocol):
    """Works on runs: one at a time in each conversation, in the order of submission."""

    def check_room(self) -> None:
        """Refuse when too much is waiting already, or when the process is being stopped.

        Raises:
            QuotaExceeded: TOO_MANY_RUNS.
            UpstreamDown: STOPPING when no run is begun any more.
        """
        ...

    def submit(self, run: RunTicket) -> None:
        """Work on a stored run soon. Idempotent: a run that is known is not queued twice."""
        ...

    async def cancel(self, run: RunTicket, user_id: str) -> None:
        """Stop the work on a run at once and end it as cancelled by `user_id`. Returns when it has ended."""
        ...
