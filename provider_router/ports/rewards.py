"""What was learned from outcomes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Protocol

from provider_router.domain.decisions.service_state import JudgedAnswer, Reward


class Rewards(Protocol):
    """Durable; per organisation, service and task class. One organisation never learns from another's outcomes."""

    def of(self, org_id: str) -> Mapping[str, Mapping[str, Reward]]:
        """Rewards by service and task class. The same object until one changes. Never blocks."""
        ...

    async def add(self, org_id: str, decision_id: str, service: str, task_class: str, reward_ppm: int) -> bool:
        """Adds the outcome of a decision; returns False, and changes nothing, when that decision has one already."""
        ...

    async def outcomes(self, org_id: str, decision_ids: Collection[str]) -> Mapping[str, JudgedAnswer]:
        """The outcomes of those of `decision_ids`, at most 500, that have one."""
        ...
