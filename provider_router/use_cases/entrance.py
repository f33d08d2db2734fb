"""A call's way in: what is written and taken once for all of its attempts."""

from __future__ import annotations

from provider_router.domain.decisions.call_entry import AttemptEntry, CallEntry, Limited, NoRoom
from provider_router.ports.call_opener import CallOpener
from provider_router.use_cases.admit_call import rate_limited
from shared.errors import QuotaExceeded


class Entrance:
    """Opens attempts; with the first one, or alone, it makes the call's entry.

    Args:
        opener: Opens calls and attempts.
        entry: Of the call; None when it was made already.

    Attributes:
        holds_tokens: Whether the call took tokens of its caller's limits.
        is_recorded: Whether the record of its decision is written.
    """

    def __init__(self, opener: CallOpener, entry: CallEntry | None = None) -> None:
        self.holds_tokens = False
        self.is_recorded = False
        self._opener = opener
        self._entry = entry

    async def open(self, attempt: AttemptEntry | None = None) -> NoRoom | None:
        """Opens an attempt, and makes the entry where it was not made; without an attempt that alone.

        Returns:
            What the provider has no room for; None when the attempt is open.

        Raises:
            QuotaExceeded: RATE_LIMITED, with the time to wait; BUDGET_EXHAUSTED.
            UpstreamDown: The store cannot be written.
        """
        entry, self._entry = self._entry, None
        if entry is None and attempt is None:
            return None
        if entry is not None:
            # Who leaves meanwhile most likely holds them.
            self.holds_tokens = True
        try:
            no_room = await self._opener.open(entry, attempt)
        except QuotaExceeded:
            # It is the attempt that has no budget; the call has its entry.
            self.is_recorded = True
            raise
        self.is_recorded = self.is_recorded or no_room is None or no_room.limited is not Limited.REQUESTS
        if no_room is not None and no_room.limited is not Limited.PROVIDER:
            self.holds_tokens = False
            raise rate_limited(no_room.limited.value, no_room.wait_s)
        return no_room
