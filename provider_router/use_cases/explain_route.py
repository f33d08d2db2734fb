"""Decides how a call would be routed, and leaves no trace."""

from __future__ import annotations

from collections.abc import Sequence

from provider_router.domain.calls.chat import ChatRequest
from provider_router.domain.calls.chat_call import ChatCall
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.no_route import no_route
from provider_router.domain.decisions.world import World
from provider_router.domain.money.budget import BudgetStatus
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.use_cases.read_features import ReadFeatures
from provider_router.use_cases.see_world import SeeWorld
from shared.clock import Clock
from shared.errors import NexusError
from shared.value import value


@value
class Explained:
    """A decision that was not written down.

    Attributes:
        decision: The decision; its choice is empty when no service can be chosen.
        world: That it was made in.
        budgets: Of the caller.
        asked: What was decided over.
    """

    decision: Decision
    world: World
    budgets: Sequence[BudgetStatus]
    asked: ChatRequest | None = None

    def refusal(self, decision_id: str = "") -> NexusError:
        """The error of a decision without a choice, for the caller to raise; `decision_id` is that of its record."""
        return no_route(self.decision, self.world, self.budgets, decision_id, self.asked)


class ExplainRoute:
    """Decides over a call: its features, in the world as it is, by the engine."""

    def __init__(self, see_world: SeeWorld, read_features: ReadFeatures, engine: DecisionEngine, clock: Clock) -> None:
        self._see_world = see_world
        self._read_features = read_features
        self._engine = engine
        self._clock = clock

    async def __call__(self, call: ChatCall) -> Explained:
        """The decision, also where it finds no service.

        Raises:
            InvalidInput: INVALID_MESSAGES, TIER_UNKNOWN.
            UpstreamDown: Budgets cannot be read.
        """
        call.check()
        world = self._see_world(call.caller.org_id)
        features = await self._read_features(call, world)
        decision = self._engine.decide(world, features.request, self._clock.now())
        return Explained(decision, world, features.budgets, call.request)
