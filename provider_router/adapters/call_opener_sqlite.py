"""Opens calls in one operation of the file's writer: one wait for the disk, whatever there is to write."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from provider_router.adapters.decision_log_sqlite import SqliteDecisionLog
from provider_router.adapters.ledger_sqlite import SqliteLedger
from provider_router.adapters.rate_limiter_sqlite import SqliteRateLimiter
from provider_router.domain.decisions.call_entry import AttemptEntry, CallEntry, Limited, NoRoom
from provider_router.domain.money.rate import Charge
from shared.errors import QuotaExceeded
from shared.storage import GroupCommit

_MICRO = 1_000_000


class SqliteCallOpener:
    """Implements `CallOpener` over adapters that share `writer`."""

    def __init__(
        self, writer: GroupCommit, log: SqliteDecisionLog, limiter: SqliteRateLimiter, ledger: SqliteLedger
    ) -> None:
        self._writer = writer
        self._log = log
        self._limiter = limiter
        self._ledger = ledger
        self._notebooks = (log.notebook, limiter.notebook, ledger.notebook)

    async def open(self, call: CallEntry | None, attempt: AttemptEntry | None) -> NoRoom | None:
        """See `CallOpener.open`."""
        append = self._log.appending(call.decision_id, call.decision, call.world) if call is not None else None
        reserve = self._ledger.opening(attempt.opening) if attempt is not None else None
        taken = self._limiter.taken

        def opened() -> NoRoom | None:
            if call is not None and append is not None:
                if call.requests_to_take and (wait_us := taken(call.requests_to_take)):
                    return NoRoom(Limited.REQUESTS, wait_us / _MICRO)
                append()
                if call.tokens and (wait_us := taken(call.tokens)):
                    self._limiter.put_back(call.requests)
                    return NoRoom(Limited.TOKENS, wait_us / _MICRO)
            if attempt is not None and reserve is not None:
                return self._reserved(attempt.charges, reserve)
            return None

        def failed(_: Exception) -> None:
            if attempt is not None:
                self._ledger.not_opened(attempt.opening)

        no_room = await self._writer.note(opened, *self._notebooks, failed=failed)
        if append is not None:
            append.committed()
        return no_room

    def _reserved(self, charges: Sequence[Charge], reserve: Callable[[], None]) -> NoRoom | None:
        if charges and (wait_us := self._limiter.taken(charges)):
            return NoRoom(Limited.PROVIDER, wait_us / _MICRO)
        try:
            reserve()
        except QuotaExceeded:
            self._limiter.put_back(charges)
            raise
        return None
