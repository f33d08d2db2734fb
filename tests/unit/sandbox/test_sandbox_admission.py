from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from sandbox_service.domain.places import FairPlaces, PlaceRules, Ticket, Turn
from sandbox_service.use_cases.admit_run import AdmitRun
from shared.errors import QuotaExceeded

ORGS = ("a", "b", "c")


def rules(places: int, own: int = 0, waiting: int = 99, own_waiting: int = 99) -> PlaceRules:
    return PlaceRules("programs", places, own or places, waiting, own_waiting)


async def settle() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


class Sharing(RuleBasedStateMachine):
    """Any sequence of coming, leaving and giving up, beside lists of who holds and who waits."""

    @initialize(
        places=st.integers(1, 5), own=st.integers(1, 5), waiting=st.integers(0, 6), own_waiting=st.integers(0, 4)
    )
    def begin(self, places: int, own: int, waiting: int, own_waiting: int) -> None:
        self.rules = rules(places, own, waiting, own_waiting)
        self.shared = FairPlaces(self.rules)
        self.holding: list[Ticket] = []
        self.waiting: list[Ticket] = []
        self.passed_over: Counter[str] = Counter()

    def held_by(self, org: str) -> int:
        return sum(ticket.org_id == org for ticket in self.holding)

    def may_hold_one_more(self, org: str) -> bool:
        held, free = self.held_by(org), self.rules.places - len(self.holding)
        is_last = free == 1 and self.rules.places > 1
        return held < self.rules.places_per_organisation and free > 0 and not (is_last and held)

    @rule(org=st.sampled_from(ORGS))
    def comes(self, org: str) -> None:
        of_org = sum(ticket.org_id == org for ticket in self.waiting)
        finds_place = self.may_hold_one_more(org) and not of_org
        may_wait = len(self.waiting) < self.rules.waiting and of_org < self.rules.waiting_per_organisation
        try:
            ticket = self.shared.enter(org)
        except QuotaExceeded:
            assert not finds_place
            assert not may_wait
            return
        assert (ticket.turn is Turn.HOLDS) == finds_place
        assert finds_place or may_wait
        (self.holding if finds_place else self.waiting).append(ticket)

    @rule(data=st.data())
    def gives_back(self, data: st.DataObject) -> None:
        if self.holding:
            ticket = self.holding.pop(data.draw(st.integers(0, len(self.holding) - 1)))
            self.take_in(self.shared.leave(ticket))
            assert self.shared.leave(ticket) == []

    @rule(data=st.data())
    def gives_up(self, data: st.DataObject) -> None:
        if self.waiting:
            ticket = self.waiting.pop(data.draw(st.integers(0, len(self.waiting) - 1)))
            assert self.shared.leave(ticket) == []
            if all(each.org_id != ticket.org_id for each in self.waiting):
                del self.passed_over[ticket.org_id]  # who comes again comes last

    def take_in(self, served: list[Ticket]) -> None:
        for ticket in served:
            org = ticket.org_id
            assert ticket.turn is Turn.HOLDS
            assert self.may_hold_one_more(org)
            # The first of its organisation, and no other one that could have had the place waits for a second time.
            assert ticket is next(each for each in self.waiting if each.org_id == org)
            self.waiting.remove(ticket)
            others = {each.org_id for each in self.waiting} - {org}
            self.passed_over = Counter({each: self.passed_over[each] for each in others})
            self.passed_over.update(each for each in others if self.may_hold_one_more(each))
            assert all(count < len(ORGS) for count in self.passed_over.values())
            self.holding.append(ticket)

    @invariant()
    def nobody_waits_for_a_place_that_is_free(self) -> None:
        assert not any(self.may_hold_one_more(ticket.org_id) for ticket in self.waiting)

    @invariant()
    def never_more_than_there_are(self) -> None:
        assert len(self.holding) <= self.rules.places
        assert len(self.waiting) <= self.rules.waiting
        for org in ORGS:
            held = self.held_by(org)
            assert held <= self.rules.places_per_organisation
            assert held < self.rules.places or self.rules.places == 1

    def teardown(self) -> None:
        """When everybody has left, all the places are there again."""
        while self.holding:
            self.take_in(self.shared.leave(self.holding.pop()))
        assert self.waiting == []
        newcomers = [self.shared.enter(f"new-{number}") for number in range(self.rules.places)]
        assert all(ticket.turn is Turn.HOLDS for ticket in newcomers)


TestSharing = Sharing.TestCase
TestSharing.settings = settings(max_examples=40)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(ORGS), max_size=30))
def test_places_that_free_one_by_one_go_round(arrivals: list[str]) -> None:
    shared = FairPlaces(rules(1))
    holder = shared.enter("z")
    for org in arrivals:
        shared.enter(org)
    served: list[str] = []
    while following := shared.leave(holder):
        (holder,) = following
        served.append(holder.org_id)
    left = Counter(arrivals)
    assert Counter(served) == left
    while left:
        turn, served = served[: len(left)], served[len(left) :]
        assert set(turn) == set(left)
        left -= Counter(list(left))


async def test_a_storm_leaves_a_place_to_who_has_none() -> None:
    admit = AdmitRun(rules(4, own_waiting=500, waiting=1000))
    storm = [asyncio.create_task(admit("storm")) for _ in range(500)]
    await settle()
    assert sum(task.done() for task in storm) == 3
    for _ in range(3):
        give_back = await admit("calm")
        give_back()
    assert sum(task.done() for task in storm) == 3
    for task in storm:
        task.cancel()
    await asyncio.wait(storm)


async def test_who_waits_is_served_in_order_and_giving_back_twice_serves_one() -> None:
    admit = AdmitRun(rules(1))
    give_back = await admit("a")
    order: list[int] = []

    async def come(number: int) -> None:
        done = await admit("a")
        order.append(number)
        await asyncio.sleep(0)
        done()

    tasks = [asyncio.create_task(come(number)) for number in range(4)]
    await settle()
    assert order == []
    give_back()
    give_back()
    await settle()
    assert order[:1] == [0]
    await asyncio.gather(*tasks)
    assert order == [0, 1, 2, 3]


async def test_beyond_the_queue_callers_are_sent_away_with_whose_limit_it_was() -> None:
    admit = AdmitRun(rules(1, waiting=2, own_waiting=1))
    await admit("a")
    waiting = [asyncio.create_task(admit("a"))]
    await settle()
    with pytest.raises(QuotaExceeded, match="SANDBOX_BUSY: Your organisation") as caught:
        await admit("a")
    assert caught.value.metadata == {"what": "programs", "scope": "organisation"}
    assert caught.value.retry_after_s
    waiting.append(asyncio.create_task(admit("b")))
    await settle()
    with pytest.raises(QuotaExceeded, match="This installation") as caught:
        await admit("c")
    assert caught.value.metadata["scope"] == "installation"
    for task in waiting:
        task.cancel()
    await asyncio.wait(waiting)


async def test_where_nobody_waits_the_limit_that_was_met_is_named() -> None:
    admit = AdmitRun(PlaceRules("sessions", places=3, places_per_organisation=1))
    await admit("a")
    with pytest.raises(QuotaExceeded, match="Your organisation has as many sessions"):
        await admit("a")
    await admit("b")
    await admit("c")
    with pytest.raises(QuotaExceeded, match="This installation has as many sessions"):
        await admit("d")


@pytest.mark.parametrize("is_served_first", [False, True])
async def test_who_is_cancelled_while_waiting_gives_its_turn_to_the_next(is_served_first: bool) -> None:
    admit = AdmitRun(rules(1))
    give_back = await admit("a")
    leaving, staying = asyncio.create_task(admit("a")), asyncio.create_task(admit("a"))
    await settle()
    if is_served_first:
        give_back()
    leaving.cancel()
    give_back()
    assert callable(await staying)
    assert leaving.cancelled()
