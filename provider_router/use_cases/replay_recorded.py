"""Decides recorded requests again by other rules, each in the world of its time."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace

from provider_router.domain.decisions.canonical_json import NotCanonical
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_record import DecisionRecord
from provider_router.domain.decisions.recorded_decision import read_record
from provider_router.domain.decisions.replay import Pick, ReplayResult, Tally
from provider_router.domain.decisions.service_state import JudgedAnswer
from provider_router.domain.decisions.stored_world import Documents, PartName, WorldPart, decode_parts, parts_of
from provider_router.domain.decisions.world import World
from provider_router.domain.rulebook.rules import RuleSet
from provider_router.ports.decision_engine import DecisionEngine
from provider_router.ports.decision_log import DecisionLog
from provider_router.ports.rewards import Rewards
from provider_router.use_cases.long_work import Slices
from shared.errors import NexusError

_PAGE = 200
_WORLDS_KEPT = 64


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
        self, org_id: str, rules: RuleSet, name: str, count: int, slices: Slices
    ) -> AsyncGenerator[int | ReplayResult, None]:
        """Yields how many were decided, now and then; at last the result.

        Args:
            org_id: Whose decisions.
            rules: To decide by; a tier that they lack finds no service.
            name: Of these rules.
            count: Most decisions to replay.
            slices: Says when others are to work.

        Raises:
            UpstreamDown: The log cannot be read.
        """
        recorded, tried, changed, skipped, decided = Tally("recorded"), Tally(name), 0, 0, 0
        worlds, believed = _Worlds(self._log), _Believed()
        async with aclosing(self._pages(org_id, count)) as pages:
            async for page in pages:
                outcomes = await self._rewards.outcomes(org_id, [record.decision_id for record in page])
                for record in page:
                    await slices.rest()
                    before = believed.decision_of(record)
                    again = await self._again(before, rules, worlds) if before else None
                    if again is None:
                        skipped += before is not None
                        continue
                    before, after = again
                    judged = outcomes.get(record.decision_id)
                    recorded.add(_pick(before, judged))
                    tried.add(_pick(after, judged if judged and judged.service == after.choice else None))
                    changed += before.choice != after.choice
                    decided += 1
                yield decided
        yield ReplayResult((recorded.summary(), tried.summary()), (), None, changed, skipped, believed.damaged)

    async def _pages(self, org_id: str, count: int) -> AsyncGenerator[Sequence[DecisionRecord], None]:
        before = 0
        while count > 0:
            page = await self._log.listed(org_id, before_sequence=before, limit=min(_PAGE, count))
            if not page:
                return
            yield page
            count -= len(page)
            before = page[-1].sequence

    async def _again(self, before: Decision, rules: RuleSet, worlds: _Worlds) -> tuple[Decision, Decision] | None:
        """The recorded decision and the new one; None where its world cannot be read."""
        try:
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


class _Believed:
    """Reads records, newest first, and believes only those that nobody changed.

    A record must have its own hash, and the hash that the one after it follows on, where that one is believed itself.
    """

    def __init__(self) -> None:
        self.damaged = 0
        self._follows = ""

    def decision_of(self, record: DecisionRecord) -> Decision | None:
        """What the record holds; None for one that was changed, which is counted."""
        decision = read_record(record).decision
        if decision is None or self._follows not in ("", record.record_hash):
            self.damaged += 1
            self._follows = ""
            return None
        self._follows = record.previous_hash
        return decision


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
            self._kept[names] = await _decoded(documents) if len(documents) == len(WorldPart) else None
            if len(self._kept) > _WORLDS_KEPT:
                self._kept.popitem(last=False)
        return self._kept[names]


async def _decoded(documents: Documents) -> World:
    """The world in `documents`, made in a thread: many contracts take a while, and calls do not wait for them."""
    return await asyncio.to_thread(decode_parts, documents)


def _pick(decision: Decision, judged: JudgedAnswer | None) -> Pick:
    if not decision.choice:
        return Pick()
    expected = decision.ranked[0].expected_cost_micro_usd
    return Pick(decision.choice, expected, judged.reward_ppm if judged else None)
