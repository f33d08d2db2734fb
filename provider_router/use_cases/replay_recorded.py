"""Decides recorded requests again by other rules, each in the world of its time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from provider_router.domain.decisions.canonical_json import NotCanonical
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_document import decode_decision
from provider_router.domain.decisions.decision_record import DecisionRecord
from provider_router.domain.decisions.replay import Pick, ReplayResult, Tally
from provider_router.domain.decisions.service_state import JudgedAnswer
from provider_router.domain.decisions.stored_world import PartName, WorldPart, decode_parts, parts_of
from provider_router.domain.decisions.world import World
from provider_router.domain.rulebook.rules import RuleSet
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.ports.decision_log import DecisionLog
from provider_router.ports.rewards import Rewards
from shared.errors import NexusError

_PAGE = 200
_WORLDS_KEPT = 64
_TURN = 10
"""Decisions between two moments in which others may work."""


class ReplayRecorded:
    """Replays the newest decisions of an organisation. Their costs are the expected ones.

    The quality of a recorded decision is known where an outcome was reported; that of a new one where it chooses what
    was judged then. Nobody knows what another model would have answered.
    """

    def __init__(self, log: DecisionLog, rewards: Rewards, engine: DecisionEngine) -> None:
        self._log = log
        self._rewards = rewards
        self._engine = engine

    async def __call__(
        self, org_id: str, rules: RuleSet, name: str, count: int
    ) -> AsyncGenerator[int | ReplayResult, None]:
        """Yields how many were decided, now and then; at last the result.

        Args:
            org_id: Whose decisions.
            rules: To decide by; a tier that they lack finds no service.
            name: Of these rules.
            count: Most decisions to replay.

        Raises:
            UpstreamDown: The log cannot be read.
        """
        recorded, tried, changed, skipped, decided = Tally("recorded"), Tally(name), 0, 0, 0
        worlds = _Worlds(self._log)
        async with aclosing(self._pages(org_id, count)) as pages:
            async for page in pages:
                outcomes = await self._rewards.outcomes(org_id, [record.decision_id for record in page])
                for record in page:
                    again = await self._again(record, rules, worlds)
                    if again is None:
                        skipped += 1
                        continue
                    before, after = again
                    judged = outcomes.get(record.decision_id)
                    recorded.add(_pick(before, judged))
                    tried.add(_pick(after, judged if judged and judged.service == after.choice else None))
                    changed += before.choice != after.choice
                    decided += 1
                    if decided % _TURN == 0:
                        await asyncio.sleep(0)
                yield decided
        yield ReplayResult((recorded.summary(), tried.summary()), (), None, changed, skipped)

    async def _pages(self, org_id: str, count: int) -> AsyncGenerator[Sequence[DecisionRecord], None]:
        before = 0
        while count > 0:
            page = await self._log.listed(org_id, before_sequence=before, limit=min(_PAGE, count))
            if not page:
                return
            yield page
            count -= len(page)
            before = page[-1].sequence

    async def _again(self, record: DecisionRecord, rules: RuleSet, worlds: _Worlds) -> tuple[Decision, Decision] | None:
        """The recorded decision and the new one; None where the record or its world cannot be read."""
        try:
            before = decode_decision(record.payload)
            world = await worlds.of(before)
        except NotCanonical:
            return None
        if world is None:
            return None
        try:
            after = self._engine.decide(replace(world, rules=rules), before.request, before.time)
        except NexusError:
            # The tier that was asked for is none of these rules'.
            after = replace(before, choice="", ranked=())
        return before, after


class _Worlds:
    """Stored worlds, the last few of them read already."""

    def __init__(self, log: DecisionLog) -> None:
        self._log = log
        self._kept: OrderedDict[tuple[PartName, ...], World | None] = OrderedDict()

    async def of(self, decision: Decision) -> World | None:
        """The world that `decision` was made in; None when a part of it is missing. Raises NotCanonical."""
        names = parts_of(decision)
        if names not in self._kept:
            documents = await self._log.world_of(decision)
            self._kept[names] = decode_parts(documents) if len(documents) == len(WorldPart) else None
            if len(self._kept) > _WORLDS_KEPT:
                self._kept.popitem(last=False)
        return self._kept[names]


def _pick(decision: Decision, judged: JudgedAnswer | None) -> Pick:
    if not decision.choice:
        return Pick()
    expected = decision.ranked[0].expected_cost_micro_usd
    return Pick(decision.choice, expected, judged.reward_ppm if judged else None)
