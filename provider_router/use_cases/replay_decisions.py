"""Tries other rules before anybody switches to them: over recorded decisions, or over an imported table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from provider_router.domain.decisions.replay import ImportedQuery, ReplayResult
from provider_router.domain.decisions.route_request import Caller
from provider_router.ports.rule_book import RuleBook
from provider_router.ports.rules_parser import RulesParser
from provider_router.ports.service_registry import ServiceRegistry
from provider_router.use_cases.long_work import LongWork
from provider_router.use_cases.replay_imported import ReplayImported
from provider_router.use_cases.replay_recorded import ReplayRecorded

IN_FORCE = "in force"
TRIED = "tried"


@dataclass(frozen=True, slots=True)
class ReplaySource:
    """What to replay: so many recorded decisions, or imported queries with so many points of a curve."""

    recorded: int = 0
    imported: Sequence[ImportedQuery] = ()
    curve_points: int = 0


class ReplayDecisions:
    """Replays, in turns: calls are never short of time for long, whoever replays how much."""

    def __init__(
        self,
        registry: ServiceRegistry,
        rules: RuleBook,
        parser: RulesParser,
        recorded: ReplayRecorded,
        imported: ReplayImported,
        turns: LongWork,
    ) -> None:
        self._registry = registry
        self._rules = rules
        self._parser = parser
        self._recorded = recorded
        self._imported = imported
        self._turns = turns

    async def __call__(
        self, caller: Caller, source: ReplaySource, rules_text: str
    ) -> AsyncGenerator[int | ReplayResult, None]:
        """Yields how many decisions were made, now and then; at last the result. Changes nothing.

        Args:
            caller: On whose behalf.
            source: What to replay.
            rules_text: The rules to try; empty for those in force.

        Raises:
            InvalidInput: RULES_INVALID, MODEL_UNKNOWN, TIER_UNKNOWN.
            QuotaExceeded: RATE_LIMITED, when the organisation replays too much at once.
            UpstreamDown: The log cannot be read.
        """
        in_force = self._rules.of(caller.org_id)
        async with self._turns.turn(caller.org_id) as slices:
            # In a thread: many policies take a while, and calls do not wait for them.
            tried = await asyncio.to_thread(self._parser.parse, rules_text) if rules_text else None
            if source.imported:
                policies = {IN_FORCE: in_force} | ({TRIED: tried} if tried else {})
                registry = self._registry.current(caller.org_id)
                events = self._imported(caller, registry, policies, source.imported, source.curve_points, slices)
            else:
                name = TRIED if tried else IN_FORCE
                events = self._recorded(caller.org_id, tried or in_force, name, source.recorded, slices)
            async with aclosing(events):
                async for event in events:
                    yield event
