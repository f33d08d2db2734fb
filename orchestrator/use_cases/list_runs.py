"""List runs."""

from __future__ import annotations

from orchestrator.domain.pages import Page, page_request
from orchestrator.domain.run import Run
from orchestrator.ports.run_store import RunStore
from shared.auth.principal import Principal


class ListRuns:
    """Lists the runs of the caller's organisation, newest first."""

    def __init__(self, runs: RunStore) -> None:
        self._runs = runs

    async def __call__(self, principal: Principal, page_size: int, page_token: str, conversation_id: str) -> Page[Run]:
        """Return a page of at most `page_size` runs, 0 for 50; of one conversation when it is given.

        Raises:
            InvalidInput: PAGE_TOKEN_INVALID.
        """
        return await self._runs.page(principal.org_id, page_request(page_size, page_token), conversation_id)
