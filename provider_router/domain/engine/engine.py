"""Decides: the nine steps, in order, over one world.

The same world, request and time always give the same decision: there is no clock, no chance, no I/O in here. What was
computed for a class of requests is kept, keyed by the very objects that it was computed from, which never change; with
an empty memory the outcome is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime

from provider_router.domain.decisions.decision import FORMULA, Decision
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.service_state import SystemState
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.beliefs import CONFIDENCE_STEP_PPM
from provider_router.domain.engine.field import tier_of, visible
from provider_router.domain.engine.lineup import Lineup
from provider_router.domain.engine.memo import Memo
from provider_router.domain.engine.rules import ApplyingRules, RuleIndex
from provider_router.domain.engine.shortlist import Shortlist, bulk_of, kind_of, shortlist_of
from provider_router.domain.rulebook.policy import PolicyVerdicts, Refusal, no_policies
from provider_router.domain.rulebook.rules import RuleSet

_CAPACITY = 50_000
_STATES = 64
"""States of the system are soon replaced and do not come back: lineups are kept for so many of the newest at least."""
_OVERHEAD = 8
"""What an entry weighs besides its services."""


class DecisionEngine:
    """Decides, and remembers what it can use again. Not for several threads at once; give each its own.

    Args:
        policies: Evaluates Cedar policies; by default there is nobody to do it, and rules with policies raise.
        capacity: About how many services, over all classes of requests, are kept in memory; about 1 KB each.
    """

    def __init__(self, policies: PolicyVerdicts = no_policies, *, capacity: int = _CAPACITY) -> None:
        self._policies = policies
        self._indices: Memo[RuleIndex] = Memo(capacity // 100)
        self._applying: Memo[ApplyingRules] = Memo(capacity // 10)
        self._interned: Memo[ApplyingRules] = Memo(capacity // 10)
        self._refused: Memo[Mapping[str, Refusal]] = Memo(capacity)
        self._shortlists: Memo[Shortlist] = Memo(capacity)
        self._lineups: Memo[Lineup] = Memo(capacity)
        # States that lineups are kept for, the oldest first.
        self._states: dict[SystemState, None] = {}

    def decide(self, world: World, request: RouteRequest, now: datetime, formula: int = FORMULA) -> Decision:
        """Decides `request` in `world` at `now`, an aware time, by `formula`.

        Without a candidate the decision has no choice, and its rejections say why. Every service that the organisation
        may know of is either ranked or rejected, with the first step that it did not pass.

        Raises:
            InvalidInput: TIER_UNKNOWN.
        """
        moment = now if now.tzinfo is UTC else now.astimezone(UTC)
        tier = tier_of(world.rules, request)
        lineup = self._lineup(world, request, tier.name, moment.date(), formula)
        rejections, rows = lineup.sifted(request, moment)
        ranked = lineup.ranked(rows, request)
        promise, control = lineup.plan(ranked, request)
        return Decision(
            moment,
            request,
            world.registry.digest,
            world.rules.digest,
            world.state.digest,
            tier.name,
            rejections,
            ranked,
            ranked[0].service if ranked else "",
            promise,
            control,
            formula,
        )

    def _lineup(self, world: World, request: RouteRequest, tier: str, day: date, formula: int) -> Lineup:
        shortlist = self._shortlist(world, request, self._applying_rules(world.rules, request, tier, day))
        estimate = request.estimate
        tenths = estimate.confidence_ppm // CONFIDENCE_STEP_PPM
        key = (shortlist, world.state, tier, estimate.task_class, tenths, day, formula)
        found = self._lineups.get(key)
        if found is None:
            made = Lineup(shortlist, world.state, world.rules.tiers[tier], request, day, formula)
            found = self._lineups.put(key, made, len(shortlist.listed) + _OVERHEAD)
            if world.state not in self._states:
                self._note_state(world.state)
        return found

    def _note_state(self, state: SystemState) -> None:
        """Keeps lineups of `state`; forgets those of the older half of states when there are twice too many."""
        self._states[state] = None
        if len(self._states) > 2 * _STATES:
            self._states = dict.fromkeys(list(self._states)[_STATES:])
            self._lineups.keep_only(lambda lineup: lineup.state in self._states)

    def _shortlist(self, world: World, request: RouteRequest, applying: ApplyingRules) -> Shortlist:
        key = (world.registry, applying, request.caller.org_id, kind_of(request))
        found = self._shortlists.get(key)
        if found is None:
            field = visible(world.registry, request.caller.org_id)
            made = shortlist_of(field, request, applying, self._refusals(world, applying))
            found = self._shortlists.put(key, made, len(field) + _OVERHEAD + bulk_of(request))
        return found

    def _refusals(self, world: World, applying: ApplyingRules) -> Mapping[str, Refusal]:
        if applying.question is None:
            return {}
        key = (world.registry, applying.rules, applying.question)
        found = self._refused.get(key)
        if found is None:
            made = self._policies(world.registry, applying.rules, applying.question)
            found = self._refused.put(key, made, len(made) + _OVERHEAD)
        return found

    def _applying_rules(self, rules: RuleSet, request: RouteRequest, tier: str, day: date) -> ApplyingRules:
        index = self._indices.get(rules) or self._indices.put(rules, RuleIndex(rules))
        key = (rules, day, index.class_of(request, tier))
        found = self._applying.get(key)
        if found is None:
            made = index.applying(request, tier, day)
            # Many classes have the same rules: they share what follows from them.
            same = (rules, tuple(map(id, made.requirements)), tuple(map(id, made.preferences)), made.question)
            found = self._interned.get(same) or self._interned.put(same, made)
            self._applying.put(key, found)
        return found
