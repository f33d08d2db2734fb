"""A whole chain is verified link by link: what was changed is found at the first place where it shows."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_decision_fakes import FakeDecisionLog, FakeEngine, world_of
from router_decisions import DECISION, NOW

from provider_router.domain.decisions.chain_verification import ChainVerification
from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord, chained
from provider_router.domain.decisions.service_state import ServiceState
from provider_router.domain.decisions.verification import Check
from provider_router.use_cases.long_work import LongWork
from provider_router.use_cases.verify_chain import VerifyChain

ENGINE = FakeEngine("three/m")
COUNT = 6


async def made(count: int = COUNT) -> FakeDecisionLog:
    """A chain whose records have two worlds in turns."""
    log = FakeDecisionLog()
    worlds = [world_of(state={"one/m": ServiceState(load_ppm=load)}) for load in (5, 6)]
    for number in range(1, count + 1):
        world = worlds[number % 2]
        await log.append(f"d-{number}", ENGINE.decide(world, DECISION.request, NOW), world)
    return log


async def walked(log: FakeDecisionLog, expect_hash: str = "") -> ChainVerification:
    events = [event async for event in VerifyChain(log, lambda: ENGINE, LongWork())("org-a", expect_hash)]
    assert all(isinstance(event, int) for event in events[:-1])
    assert isinstance(events[-1], ChainVerification)
    return events[-1]


def verified(log: FakeDecisionLog, expect_hash: str = "") -> ChainVerification:
    return asyncio.run(walked(log, expect_hash))


def broken_at(found: ChainVerification) -> tuple[str, Check | None, int]:
    assert found.broken is not None
    assert not found.valid
    return found.broken.record.decision_id, found.broken.found.differing, found.verified


def own(log: FakeDecisionLog) -> list[DecisionRecord]:
    return log.records["org-a"]


def test_what_was_written_holds() -> None:
    log = asyncio.run(made())
    head = ChainLink(COUNT, own(log)[-1].record_hash)
    assert verified(log) == ChainVerification(COUNT, head, ChainLink())


def test_nothing_holds() -> None:
    found = verified(FakeDecisionLog())
    assert found == ChainVerification(0, ChainLink(), ChainLink())
    assert found.valid


def test_more_than_a_page_holds() -> None:
    assert verified(asyncio.run(made(450))).verified == 450


def test_a_chain_whose_beginning_was_pruned_holds() -> None:
    log = asyncio.run(made())
    asyncio.run(log.prune(older_than=NOW, keep=2, limit=10))
    found = verified(log)
    assert (found.valid, found.verified, found.pruned.sequence, found.head.sequence) == (True, 2, 4, 6)
    log.anchors["org-a"] = replace(log.anchors["org-a"], record_hash="0" * 64)
    assert broken_at(verified(log)) == ("d-5", Check.CHAIN, 0)


@pytest.mark.parametrize("sequence", [1, 4, COUNT, 10**18])
def test_a_beginning_that_was_moved_hides_no_record(sequence: int) -> None:
    log = asyncio.run(made())
    log.anchors["org-a"] = ChainLink(sequence, own(log)[min(sequence, COUNT) - 1].record_hash)
    assert broken_at(verified(log)) == ("d-1", Check.CHAIN, 0)


@pytest.mark.parametrize("sequence", [-7, 0])
def test_a_record_that_was_moved_before_the_first_is_found(sequence: int) -> None:
    log = asyncio.run(made())
    moved = replace(own(log).pop(), sequence=sequence)
    own(log).insert(0, moved)
    assert broken_at(verified(log)) == (moved.decision_id, Check.CHAIN, 0)


PAYLOAD = own(asyncio.run(made()))[3].payload


@given(st.integers(0, COUNT - 1), st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_a_changed_byte_of_any_payload_is_found_in_its_record(place: int, offset: int, change: int) -> None:
    log = asyncio.run(made())
    record = own(log)[place]
    payload = bytearray(record.payload)
    payload[offset % len(payload)] ^= change
    own(log)[place] = replace(record, payload=bytes(payload))
    assert broken_at(verified(log)) == (record.decision_id, Check.RECORD, place)


def test_a_record_that_was_written_anew_with_its_hash_is_found_by_the_next() -> None:
    log = asyncio.run(made())
    before, record = own(log)[1:3]
    after = ChainLink(before.sequence, before.record_hash)
    own(log)[2] = chained("d-other", "org-a", record.time_us, record.payload, after)
    assert broken_at(verified(log)) == ("d-4", Check.CHAIN, 3)


@pytest.mark.parametrize("place", [0, 2, 4])
def test_a_record_that_is_missing_is_found(place: int) -> None:
    log = asyncio.run(made())
    del own(log)[place]
    name, check, before = broken_at(verified(log))
    assert (name, check, before) == (f"d-{place + 2}", Check.CHAIN, place)


def test_a_changed_order_is_found() -> None:
    log = asyncio.run(made())
    first, second = own(log)[2:4]
    own(log)[2:4] = [replace(second, sequence=3), replace(first, sequence=4)]
    assert broken_at(verified(log)) == ("d-4", Check.CHAIN, 2)


def test_a_document_that_is_missing_is_found_at_the_first_record_that_needs_it() -> None:
    log = asyncio.run(made())
    del log.documents[next(name for name in log.documents if name[1].part == "state")]
    assert broken_at(verified(log)) == ("d-1", Check.STATE, 0)


def test_a_removed_end_is_found_by_who_noted_the_head() -> None:
    log = asyncio.run(made())
    head = own(log)[-1].record_hash
    middle = own(log)[2].record_hash
    assert verified(log, head).expected_found is True
    del own(log)[-2:]
    assert verified(log).valid
    found = verified(log, head)
    assert (found.valid, found.expected_found, found.broken) == (False, False, None)
    assert verified(log, middle).valid


def test_the_noted_hash_may_be_that_of_the_newest_pruned_record() -> None:
    log = asyncio.run(made())
    noted = own(log)[3].record_hash
    asyncio.run(log.prune(older_than=NOW, keep=2, limit=10))
    assert verified(log, noted).expected_found is True


def test_what_was_noted_is_unknown_beyond_a_broken_record() -> None:
    log = asyncio.run(made())
    records = own(log)
    early, late = records[0].record_hash, records[4].record_hash
    records[2] = replace(records[2], payload=b"{}")
    assert verified(log, early).expected_found is True
    assert verified(log, late).expected_found is None


class PrunedOnTheWay(FakeDecisionLog):
    """Prunes four records once the first page was read."""

    async def following(self, org_id, *, after_sequence, limit):
        page = await super().following(org_id, after_sequence=after_sequence, limit=2)
        if after_sequence < 1:
            await self.prune(older_than=NOW, keep=2, limit=10)
        return page


def test_what_is_pruned_meanwhile_is_no_gap() -> None:
    log = asyncio.run(made())
    pruned = PrunedOnTheWay(log.records, log.documents, log.anchors)
    found = asyncio.run(walked(pruned))
    assert (found.valid, found.pruned.sequence, found.head.sequence) == (True, 4, 6)
