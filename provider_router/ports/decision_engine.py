"""What decides."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from provider_router.domain.decisions.decision import FORMULA, Decision
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.world import World


class DecisionEngine(Protocol):
    """Pure: the same arguments give the same decision, on every machine."""

    def decide(self, world: World, request: RouteRequest, now: datetime, formula: int = FORMULA) -> Decision:
        """The decision for `request` in `world` at `now`; without a choice where no service can be chosen.

        An older `formula` is for verifying what was decided by it.

        Raises:
            InvalidInput: TIER_UNKNOWN, with the tiers that there are.
        """
        ...
