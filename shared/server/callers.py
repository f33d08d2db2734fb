"""How much one caller may have open at a service, so that the greed of one is not the trouble of all."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from shared.auth.principal import Principal
from shared.errors import QuotaExceeded

MOST_CALLS = 2000


class Callers:
    """Counts the open calls of each caller. Who has none costs nothing.

    Args:
        most: calls that one caller may have open; 0 for MOST_CALLS.
        by_key: whether each API key counts for itself, and not all of a user together.
    """

    def __init__(self, most: int = 0, *, by_key: bool = False) -> None:
        self._most = most
        self._by_key = by_key
        self._calls: dict[tuple[str, ...], int] = {}

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
        caller, most = self._caller(principal), self._most or MOST_CALLS
        calls = self._calls.get(caller, 0)
        if calls >= most:
            raise QuotaExceeded(
                "TOO_MANY_CALLS",
                f"You have {most} calls open. End some, or try again in a moment.",
                retry_after_s=1.0,
            )
        self._calls[caller] = calls + 1

    def leave(self, principal: Principal) -> None:
        """Count a call no more."""
        caller = self._caller(principal)
        left = self._calls[caller] - 1
        if left:
            self._calls[caller] = left
        else:
            del self._calls[caller]

    def _caller(self, principal: Principal) -> tuple[str, ...]:
        key = (principal.key_id,) if self._by_key else ()
        return (principal.org_id, principal.user_id, *key)
