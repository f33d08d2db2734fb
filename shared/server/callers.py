"""How much one caller may have open at a service, so that the greed of one is not the trouble of all."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from shared.auth.principal import Principal
from shared.errors import QuotaExceeded

MOST_CALLS = 2000


class Callers:
    """Counts the open calls of each caller, who may have `most_calls`; 0 for MOST_CALLS. Who has none costs nothing."""

    def __init__(self, most_calls: int = 0) -> None:
        self._most_calls = most_calls
        self._calls: dict[tuple[str, str], int] = {}

    @contextmanager
    def counted(self, principal: Principal) -> Generator[None, None, None]:
        """Count a call of `principal` for the duration of the block.

        Raises:
            QuotaExceeded: TOO_MANY_CALLS.
        """
        self.enter(principal)
        try:
            yield
        finally:
            self.leave(principal)

    def enter(self, principal: Principal) -> None:
        """Count a call of `principal` until `leave`.

        Raises:
            QuotaExceeded: TOO_MANY_CALLS; then there is nothing to leave.
        """
        caller = (principal.org_id, principal.user_id)
        calls = self._calls.get(caller, 0)
        most = self._most_calls or MOST_CALLS
        if calls >= most:
            raise QuotaExceeded(
                "TOO_MANY_CALLS",
                f"You have {most} calls open. End some, or try again in a moment.",
                retry_after_s=1.0,
            )
        self._calls[caller] = calls + 1

    def leave(self, principal: Principal) -> None:
        """Count a call no more."""
        caller = (principal.org_id, principal.user_id)
        left = self._calls[caller] - 1
        if left:
            self._calls[caller] = left
        else:
            del self._calls[caller]
