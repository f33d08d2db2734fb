"""Lists the rows of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provider_router.domain.calls.page_token import number_of, token_of
from provider_router.domain.money.attempt import LedgerEntry
from provider_router.ports.ledger import Ledger

_DEFAULT_SIZE = 100


@dataclass(frozen=True, slots=True)
class AttemptsWanted:
    """Which rows to list.

    Attributes:
        page_size: Most rows of a page; 0 for 100.
        page_token: Of the page; empty for the first.
        decision_id: Empty for all.
        newest_first: Backwards. A token belongs to the direction in which it was given.
    """

    page_size: int = 0
    page_token: str = ""
    decision_id: str = ""
    newest_first: bool = False


@dataclass(frozen=True, slots=True)
class AttemptsPage:
    """Rows of the ledger. `next_token` is empty on the last page."""

    entries: Sequence[LedgerEntry]
    next_token: str


class ListAttempts:
    """Reads the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def __call__(self, org_id: str, wanted: AttemptsWanted) -> AttemptsPage:
        """A page of the rows of `org_id`.

        Raises:
            InvalidInput: PAGE_TOKEN_INVALID.
            UpstreamDown: The ledger cannot be read.
        """
        size = wanted.page_size or _DEFAULT_SIZE
        entries = await self._ledger.entries(
            org_id,
            after_sequence=number_of(wanted.page_token),
            decision_id=wanted.decision_id,
            limit=size + 1,
            newest_first=wanted.newest_first,
        )
        more = len(entries) > size
        return AttemptsPage(entries[:size], token_of(str(entries[size - 1].sequence)) if more else "")
