"""Lists recorded decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from provider_router.domain.calls.page_token import number_of, token_of
from provider_router.domain.decisions.recorded_decision import RecordedDecision, read_record
from provider_router.ports.decision_log import DecisionLog

_DEFAULT_SIZE = 50


@dataclass(frozen=True, slots=True)
class DecisionsPage:
    """Decisions, newest first. `next_token` is empty on the last page."""

    decisions: Sequence[RecordedDecision]
    next_token: str


class ListDecisions:
    """Lists the decisions of an organisation, newest first."""

    def __init__(self, log: DecisionLog) -> None:
        self._log = log

    async def __call__(self, org_id: str, page_size: int, page_token: str) -> DecisionsPage:
        """A page of at most `page_size` decisions, 0 for 50.

        Raises:
            InvalidInput: PAGE_TOKEN_INVALID.
            UpstreamDown: The log cannot be read.
        """
        size = page_size or _DEFAULT_SIZE
        records = await self._log.listed(org_id, before_sequence=number_of(page_token), limit=size + 1)
        page = records[:size]
        more = len(records) > size
        return DecisionsPage([read_record(record) for record in page], token_of(str(page[-1].sequence)) if more else "")
