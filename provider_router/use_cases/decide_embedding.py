"""Decides whether a model may embed a caller's texts, and writes it down."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from provider_router.domain.calls.embedding import Handling
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.contracts.service import Service
from provider_router.domain.decisions.no_route import no_route
from provider_router.domain.decisions.route_request import Caller, RouteRequest
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.ports.decision_log import DecisionLog
from provider_router.ports.ledger import Ledger
from provider_router.ports.token_counter import TokenCounter
from provider_router.use_cases.see_world import SeeWorld
from shared.clock import Clock
from shared.ids import IdSource


class DecidesEmbeddings(Protocol):
    """`DecideEmbedding`."""

    async def __call__(self, caller: Caller, service: Service, texts: Sequence[str], handling: Handling) -> str:
        """Returns the id of the decision, or raises when `service` may not have `texts`."""
        ...


class DecideEmbedding:
    """Puts embeddings through what chats go through: match, rules, clearance, budget; and a record of it.

    There is nothing to choose, since the model is settled: the decision is whether that one may be called.
    """

    def __init__(
        self,
        see_world: SeeWorld,
        counter: TokenCounter,
        ledger: Ledger,
        engine: DecisionEngine,
        log: DecisionLog,
        stamps: tuple[Clock, IdSource],
    ) -> None:
        self._see_world = see_world
        self._counter = counter
        self._ledger = ledger
        self._engine = engine
        self._log = log
        self._clock, self._new_id = stamps

    async def __call__(self, caller: Caller, service: Service, texts: Sequence[str], handling: Handling) -> str:
        """The id of the decision that `service` may embed `texts`.

        Raises:
            PreconditionFailed: PROVIDER_NOT_CONFIGURED, PROVIDER_REFUSED_KEY, NO_ROUTE, when the rules or its clearance
                forbid it.
            InvalidInput: CONTEXT_TOO_LONG, for the longest text.
            QuotaExceeded: BUDGET_EXHAUSTED.
            UpstreamDown: The log cannot be written, or budgets cannot be read.
        """
        world = self._see_world(caller.org_id)
        budgets = await self._ledger.budgets(caller, handling.conversation_id)
        request = RouteRequest(
            caller=caller,
            operation=Operation.EMBED,
            model=service.name,
            # Each text has a context of its own.
            input_tokens=max(self._counter.text(service, text) for text in texts),
            payload_bytes=sum(len(text.encode("utf-8", "surrogatepass")) for text in texts),
            data_class=world.rules.default_data_class if handling.data_class is None else handling.data_class,
            residency=handling.residency,
            max_cost_micro_usd=handling.max_cost_micro_usd,
            budget_left_micro_usd=min((each.left_micro_usd for each in budgets), default=None),
            deadline_ms=handling.timeout_ms,
        )
        decision = self._engine.decide(world, request, self._clock.now())
        decision_id = self._new_id()
        await self._log.append(decision_id, decision, world)
        if not decision.choice:
            raise no_route(decision, world, budgets, decision_id)
        return decision_id
