"""Tells those who watch a run that its log has grown."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from orchestrator.ports.run_subscription import Subscription


class RunSignal(Protocol):
    """Wakes watchers. A wake-up carries nothing: what happened is in the log."""

    def notify(self, run_id: str) -> None:
        """Wake all who watch the run. Never blocks."""
        ...

    def subscribed(self, run_id: str) -> AbstractContextManager[Subscription]:
        """Listen inside the block. Subscribe first, then read the log, then wait: so nothing is missed."""
        ...
