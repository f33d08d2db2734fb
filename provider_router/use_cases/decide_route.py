"""Decides how a call is routed, and what is written down of it."""

from __future__ import annotations

from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.decisions.call_entry import CallEntry
from provider_router.domain.decisions.routed import Routed
from provider_router.ports.call_opener import CallOpener
from provider_router.ports.limit_book import LimitBook
from provider_router.use_cases.entrance import Entrance
from provider_router.use_cases.explain_route import ExplainRoute
from shared.ids import IdSource


class DecideRoute:
    """Decides as `ExplainRoute` does.

    A record is written for every decision that a caller's limit on requests leaves room for: with the call's first
    attempt, and here for one that finds no service.
    """

    def __init__(self, explain: ExplainRoute, limits: LimitBook, opener: CallOpener, new_id: IdSource) -> None:
        self._explain = explain
        self._limits = limits
        self._opener = opener
        self._new_id = new_id

    async def __call__(self, call: ChatCall) -> Routed:
        """The route of `call`, of which nothing is written yet.

        Raises:
            InvalidInput: INVALID_MESSAGES, TIER_UNKNOWN, MODEL_UNKNOWN, UNSUPPORTED_CAPABILITY, CONTEXT_TOO_LONG.
            PreconditionFailed: NO_MODEL_CONFIGURED, PROVIDER_NOT_CONFIGURED, PROVIDER_REFUSED_KEY, NO_ROUTE.
            QuotaExceeded: BUDGET_EXHAUSTED, when nothing is left that could pay for any service; RATE_LIMITED.
            UpstreamDown: The log cannot be written, or budgets cannot be read.
        """
        explained = await self._explain(call)
        decision = explained.decision
        expected_tokens = decision.request.input_tokens + decision.request.output_tokens
        entry = CallEntry(
            self._new_id(),
            decision,
            explained.world,
            self._limits.request_charges(call.caller),
            self._limits.token_charges(call.caller, expected_tokens) if decision.choice else (),
            has_requests=call.asks_cache,
        )
        if not decision.choice:
            await Entrance(self._opener, entry).open()
            raise explained.refusal(entry.decision_id)
        return Routed(entry, explained.world.registry.services)
