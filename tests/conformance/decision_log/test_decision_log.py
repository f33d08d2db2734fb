"""What every log of decisions does."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

from router_decision_fakes import decided_in, rules_of, world_of
from router_decisions import DECISION, NOW, decision_for

from provider_router.domain.decisions.canonical_json import digest_of
from provider_router.domain.decisions.decision_document import decode_decision, encode_decision, microseconds_of
from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord, hash_of
from provider_router.domain.decisions.service_state import ServiceState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.stored_world import WorldPart, encode_part
from provider_router.ports.decision_log import DecisionLog

WORLD = world_of()
IN_WORLD = decided_in(WORLD, DECISION)


async def chain_of(log: DecisionLog, org_id: str = "org-a") -> list[DecisionRecord]:
    """The stored chain, oldest first, checked."""
    records = list(reversed(await log.listed(org_id, limit=1_000_000)))
    end = await log.anchor(org_id)
    for record in records:
        assert (record.sequence, record.previous_hash) == (end.sequence + 1, end.record_hash)
        assert hash_of(record) == record.record_hash
        end = ChainLink(record.sequence, record.record_hash)
    return records


async def append(log: DecisionLog, *ids: str, org_id: str = "org-a", **changes: object) -> None:
    for decision_id in ids:
        await log.append(decision_id, decided_in(WORLD, decision_for(org_id, **changes)), WORLD)


async def test_a_record_holds_the_whole_decision(log: DecisionLog) -> None:
    await log.append("d-1", IN_WORLD, WORLD)
    record = await log.get("org-a", "d-1")
    assert record is not None
    assert (record.decision_id, record.org_id, record.sequence, record.previous_hash) == ("d-1", "org-a", 1, "")
    assert record.time_us == microseconds_of(NOW)
    assert record.payload == encode_decision(IN_WORLD)
    assert decode_decision(record.payload) == IN_WORLD
    assert record.record_hash == hash_of(record)


async def test_each_organisation_has_its_own_chain(log: DecisionLog) -> None:
    await append(log, "a-1", "a-2")
    await append(log, "b-1", org_id="org-b")
    await append(log, "a-3")
    assert [each.decision_id for each in await chain_of(log)] == ["a-1", "a-2", "a-3"]
    assert [each.decision_id for each in await chain_of(log, "org-b")] == ["b-1"]
    assert await log.get("org-b", "a-1") is None
    assert await chain_of(log, "org-c") == []


async def test_two_organisations_may_use_one_id(log: DecisionLog) -> None:
    await append(log, "d-1")
    await append(log, "d-1", org_id="org-b")
    assert len(await chain_of(log)) == len(await chain_of(log, "org-b")) == 1


async def test_appending_twice_is_appending_once_and_the_first_counts(log: DecisionLog) -> None:
    await append(log, "d-1", "d-2", "d-1")
    await append(log, "d-1", tier="deep")
    records = await chain_of(log)
    assert [each.decision_id for each in records] == ["d-1", "d-2"]
    assert decode_decision(records[0].payload).tier == DECISION.tier


async def test_many_at_once_make_one_chain(log: DecisionLog) -> None:
    ids = [f"d-{number}" for number in range(200)]
    await asyncio.gather(*(append(log, decision_id) for decision_id in [*ids, *ids[:50]]))
    assert sorted(each.decision_id for each in await chain_of(log)) == sorted(ids)


async def test_the_neighbours_of_a_record(log: DecisionLog) -> None:
    await append(log, "d-1", "d-2", "d-3")
    await append(log, "b-1", "b-2", org_id="org-b")
    first, middle, last = await chain_of(log)
    assert (await log.before(middle), await log.after(middle)) == (first, last)
    assert (await log.before(first), await log.after(last)) == (None, None)


async def test_records_follow_each_other_a_page_at_a_time(log: DecisionLog) -> None:
    await append(log, "d-1", "d-2", "d-3", "d-4")
    await append(log, "b-1", org_id="org-b")
    page = await log.following("org-a", after_sequence=0, limit=3)
    assert [each.decision_id for each in page] == ["d-1", "d-2", "d-3"]
    page = await log.following("org-a", after_sequence=page[-1].sequence, limit=3)
    assert [each.decision_id for each in page] == ["d-4"]
    assert list(await log.following("org-a", after_sequence=4, limit=3)) == []


async def test_records_are_listed_newest_first_a_page_at_a_time(log: DecisionLog) -> None:
    await append(log, *(f"d-{number}" for number in range(1, 8)))
    page = await log.listed("org-a", limit=3)
    assert [each.decision_id for each in page] == ["d-7", "d-6", "d-5"]
    page = await log.listed("org-a", limit=3, before_sequence=page[-1].sequence)
    assert [each.decision_id for each in page] == ["d-4", "d-3", "d-2"]
    page = await log.listed("org-a", limit=3, before_sequence=page[-1].sequence)
    assert [each.decision_id for each in page] == ["d-1"]


async def test_records_since_a_time(log: DecisionLog) -> None:
    for minute in range(5):
        await append(log, f"d-{minute}", time=NOW + timedelta(minutes=minute))
    found = await log.listed("org-a", since=NOW + timedelta(minutes=3))
    assert [each.decision_id for each in found] == ["d-4", "d-3"]
    assert len(await log.listed("org-a", since=NOW)) == 5
    assert await log.listed("org-a", since=NOW + timedelta(days=1)) == []


async def test_the_world_of_a_decision_is_kept_to_the_byte(log: DecisionLog) -> None:
    await log.append("d-1", IN_WORLD, WORLD)
    documents = await log.world_of(IN_WORLD)
    assert documents == {part: encode_part(WORLD, part) for part in WorldPart}
    assert digest_of(documents[WorldPart.RULES]) == IN_WORLD.rules_digest
    assert await log.world_of(replace(IN_WORLD, state_digest="0" * 64)) == {
        part: documents[part] for part in (WorldPart.REGISTRY, WorldPart.RULES)
    }


async def test_worlds_that_change_are_all_kept(log: DecisionLog) -> None:
    worlds = [
        WORLD,
        replace(WORLD, state=system_state({"one/m": ServiceState(load_ppm=1)})),
        replace(WORLD, rules=rules_of(default_tier="deep")),
    ]
    for number, world in enumerate(worlds):
        await log.append(f"d-{number}", decided_in(world, DECISION), world)
    for world in worlds:
        documents = await log.world_of(decided_in(world, DECISION))
        assert documents == {part: encode_part(world, part) for part in WorldPart}


async def test_old_records_are_removed_and_the_chain_goes_on(log: DecisionLog) -> None:
    for minute in range(6):
        await append(log, f"d-{minute}", time=NOW + timedelta(minutes=minute))
    before = await chain_of(log)
    assert await log.prune(older_than=NOW + timedelta(minutes=4), keep=100, limit=3) == 3
    assert await log.prune(older_than=NOW + timedelta(minutes=4), keep=100, limit=3) == 1
    assert await log.prune(older_than=NOW + timedelta(minutes=4), keep=100, limit=3) == 0
    assert await chain_of(log) == before[4:]
    assert await log.anchor("org-a") == ChainLink(4, before[3].record_hash)
    await append(log, "d-6")
    assert [each.sequence for each in await chain_of(log)] == [5, 6, 7]
    assert set(await log.world_of(IN_WORLD)) == set(WorldPart)


async def test_only_the_newest_so_many_are_kept(log: DecisionLog) -> None:
    await append(log, *(f"a-{number}" for number in range(5)))
    await append(log, *(f"b-{number}" for number in range(4)), org_id="org-b")
    removed = 0
    while step := await log.prune(older_than=NOW, keep=2, limit=2):
        assert step <= 2
        removed += step
    assert removed == 5
    assert [each.decision_id for each in await chain_of(log)] == ["a-3", "a-4"]
    assert [each.decision_id for each in await chain_of(log, "org-b")] == ["b-2", "b-3"]


async def test_a_chain_that_was_removed_whole_goes_on(log: DecisionLog) -> None:
    await append(log, "d-1", "d-2")
    last = (await chain_of(log))[-1]
    assert await log.prune(older_than=NOW + timedelta(days=1), keep=100, limit=100) == 2
    assert await chain_of(log) == []
    await append(log, "d-3")
    assert [(each.sequence, each.previous_hash) for each in await chain_of(log)] == [(3, last.record_hash)]
