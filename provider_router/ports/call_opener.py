"""Opens calls and their attempts: all that is written and taken before a provider hears of one, at once."""

from __future__ import annotations

from typing import Protocol

from provider_router.domain.decisions.call_entry import AttemptEntry, CallEntry, NoRoom


class CallOpener(Protocol):
    """What `DecisionLog.append`, `RateLimiter.acquire` and `Ledger.open` do, in one step."""

    async def open(self, call: CallEntry | None, attempt: AttemptEntry | None) -> NoRoom | None:
        """Makes the entry of a call, and opens an attempt.

        That is, in this order: takes the call's requests, writes its record, takes its tokens; takes the attempt's
        charges, reserves its cost and writes its row. Either may be None: a call has one entry, and perhaps no attempt,
        or several.

        What has no room ends it there, and leaves no trace itself. Without room for requests nothing took place;
        without room for tokens the record is written, and the requests are given back; without room at the provider or
        in a budget, the call has its entry, and the attempt none.

        Returns when what took place would survive a killed process.

        Returns:
            The limits without room; None when all took place.

        Raises:
            QuotaExceeded: BUDGET_EXHAUSTED, as `Ledger.open`.
            UpstreamDown: The store cannot be written.
        """
        ...
