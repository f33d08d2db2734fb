"""How many calls one caller may have open at a service, so that the greed of one is not the trouble of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager

from shared.auth.principal import Principal
from shared.errors import QuotaExceeded

MOST_CALLS = 2000


class Callers:
    """Counts the open calls of each caller. Who has none costs nothing."""

    def __init__(self) -> None:
        self._calls: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def counted(self, principal: Principal) -> Generator[None, None, None]:
        """Count a call of `principal` for the duration of the block.

        Raises:
            QuotaExceeded: TOO_MANY_CALLS.
        """
        caller = (principal.org_id, principal.user_id)
        if self._calls[caller] >= MOST_CALLS:
            raise QuotaExceeded(
                "TOO_MANY_CALLS",
                f"You have {MOST_CALLS} calls open. End some, or try again in a moment.",
                retry_after_s=1.0,
            )
        self._calls[caller] += 1
        try:
            yield
        finally:
            self._calls[caller] -= 1
            if not self._calls[caller]:
                del self._calls[caller]
