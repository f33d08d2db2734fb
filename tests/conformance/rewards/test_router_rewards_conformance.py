"""What every store of rewards does, in memory or in SQLite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from router_fakes import FakeRewards

from provider_router.adapters.rewards_sqlite import SqliteRewards
from provider_router.domain.decisions.service_state import JudgedAnswer, Reward
from provider_router.ports.rewards import Rewards
from shared.storage import Database, GroupCommit


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[tuple[Database, GroupCommit]]:
    path = tmp_path / "router.sqlite"
    database, writer = Database(path, "provider_router.adapters.migrations"), GroupCommit(path)
    await database.open()
    await writer.start()
    yield database, writer
    await writer.stop()
    await database.close()


@pytest.fixture(params=["memory", "sqlite"])
def rewards(request: pytest.FixtureRequest) -> Rewards:
    return FakeRewards() if request.param == "memory" else SqliteRewards(*request.getfixturevalue("storage"))


async def test_outcomes_add_up_by_service_and_task_class(rewards: Rewards) -> None:
    assert await rewards.add("org-a", "d1", "one/m", "code", 1_000_000)
    assert await rewards.add("org-a", "d2", "one/m", "code", 250_000)
    assert await rewards.add("org-a", "d3", "one/m", "math", 0)
    assert await rewards.add("org-a", "d4", "two/m", "code", 7)
    assert rewards.of("org-a") == {
        "one/m": {"code": Reward(2, 1_250_000), "math": Reward(1, 0)},
        "two/m": {"code": Reward(1, 7)},
    }


async def test_the_first_outcome_of_a_decision_counts_even_among_many_at_once(rewards: Rewards) -> None:
    added = await asyncio.gather(*(rewards.add("org-a", "d1", "one/m", "code", value) for value in range(50)))
    assert sum(added) == 1
    assert rewards.of("org-a")["one/m"]["code"].count == 1


async def test_no_organisation_learns_from_another(rewards: Rewards) -> None:
    await rewards.add("org-a", "d1", "one/m", "code", 1_000_000)
    assert rewards.of("org-b") == {}
    assert await rewards.add("org-b", "d1", "one/m", "code", 0)
    assert rewards.of("org-a")["one/m"]["code"] == Reward(1, 1_000_000)


async def test_what_was_handed_out_never_changes(rewards: Rewards) -> None:
    await rewards.add("org-a", "d1", "one/m", "code", 10)
    before = rewards.of("org-a")
    assert rewards.of("org-a") is before
    await rewards.add("org-a", "d2", "one/m", "code", 10)
    assert before["one/m"]["code"] == Reward(1, 10)
    assert rewards.of("org-a") is not before


async def test_stored_rewards_survive_and_are_seen_by_other_replicas(storage) -> None:
    first, second = SqliteRewards(*storage), SqliteRewards(*storage)
    await first.add("org-a", "d1", "one/m", "code", 10)
    await second.load()
    seen = second.of("org-a")
    assert seen == {"one/m": {"code": Reward(1, 10)}}
    await second.load()
    assert second.of("org-a") is seen
    assert not await second.add("org-a", "d1", "one/m", "code", 10)
    await second.add("org-a", "d2", "one/m", "code", 5)
    await first.load()
    assert first.of("org-a") == {"one/m": {"code": Reward(2, 15)}}


async def test_a_look_that_began_before_an_outcome_was_added_does_not_take_it_back(storage) -> None:
    rewards = SqliteRewards(*storage)
    for number in range(30):
        await asyncio.gather(rewards.load(), rewards.add("org-a", f"d{number}", "one/m", "code", 1))
        assert rewards.of("org-a")["one/m"]["code"] == Reward(number + 1, number + 1)


async def test_outcomes_are_found_by_decision(rewards: Rewards) -> None:
    await rewards.add("org-a", "d1", "one/m", "code", 10)
    await rewards.add("org-b", "d2", "one/m", "code", 10)
    assert await rewards.outcomes("org-a", ["d1", "d2", "d3"]) == {"d1": JudgedAnswer("one/m", 10)}
    assert await rewards.outcomes("org-a", []) == {}
