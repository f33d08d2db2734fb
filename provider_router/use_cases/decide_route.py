"""Decides how a call is routed, and writes it down."""

from __future__ import annotations

from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.decisions.routed import Routed
from provider_router.ports.decision_log import DecisionLog
from provider_router.use_cases.explain_route import ExplainRoute
from shared.ids import IdSource


class DecideRoute:
    """Decides as `ExplainRoute` does. A record is written for every decision, also for one that finds no service."""

    def __init__(self, explain: ExplainRoute, log: DecisionLog, new_id: IdSource) -> None:
        self._explain = explain
        self._log = log
        self._new_id = new_id

    async def __call__(self, call: ChatCall) -> Routed:
        """The route of `call`, once its decision would survive a killed process.

        Raises:
            InvalidInput: INVALID_MESSAGES, TIER_UNKNOWN, MODEL_UNKNOWN, UNSUPPORTED_CAPABILITY, CONTEXT_TOO_LONG.
            PreconditionFailed: NO_MODEL_CONFIGURED, PROVIDER_NOT_CONFIGURED, PROVIDER_REFUSED_KEY, NO_ROUTE.
            QuotaExceeded: BUDGET_EXHAUSTED, when nothing is left that could pay for any service.
            UpstreamDown: The log cannot be written, or budgets cannot be read.
        """
        explained = await self._explain(call)
        decision_id = self._new_id()
        await self._log.append(decision_id, explained.decision, explained.world)
        if not explained.decision.choice:
            raise explained.refusal(decision_id)
        return Routed(decision_id, explained.decision, explained.world.registry.services)
