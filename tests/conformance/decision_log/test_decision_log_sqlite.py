"""What only the log in SQLite does: it shares its file, keeps worlds once, and finds what was changed behind it."""

from __future__ import annotations

import contextlib
import sqlite3
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from router_decision_fakes import decided_in, world_of
from router_decisions import DECISION, NOW
from test_decision_log import append, chain_of

from provider_router.adapters.decision_log_sqlite import SqliteDecisionLog
from provider_router.adapters.decision_worlds_sqlite import USE_STEP
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.service_state import ServiceState
from provider_router.domain.decisions.state_document import system_state
from provider_router.domain.decisions.stored_world import WorldPart
from provider_router.domain.decisions.verification import Check
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.use_cases.verify_decision import VerifyDecision
from shared.errors import Internal, UpstreamDown

WORLD = world_of()
OTHER = replace(WORLD, state=system_state({"one/m": ServiceState(load_ppm=7)}))


def decided(world: World = WORLD) -> Decision:
    return DecisionEngine().decide(world, DECISION.request, NOW)


def changed(path: Path, statement: str, *values: object) -> None:
    """Changes the file behind the log's back."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
        assert connection.execute(statement, values).rowcount > 0
        connection.commit()


def value(path: Path, query: str, *values: object) -> object:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return connection.execute(query, values).fetchone()[0]


async def verified(log: SqliteDecisionLog, decision_id: str) -> Check | None:
    return (await VerifyDecision(log, DecisionEngine)("org-a", decision_id)).differing


@pytest.fixture
async def filled(sqlite_log: SqliteDecisionLog) -> SqliteDecisionLog:
    for number in range(1, 4):
        await sqlite_log.append(f"d-{number}", decided(), WORLD)
    return sqlite_log


async def test_what_was_written_is_verified(filled: SqliteDecisionLog) -> None:
    assert [await verified(filled, f"d-{number}") for number in range(1, 4)] == [None, None, None]


def flip(path: Path, table: str, column: str, where: str, place: int) -> None:
    """Changes the lowest bit of one byte of a stored value."""
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as connection:
        (before,) = connection.execute(f"SELECT {column} FROM {table} WHERE {where}").fetchone()  # noqa: S608
        after = bytearray(before)
        after[place] ^= 1
        connection.execute(f"UPDATE {table} SET {column} = ? WHERE {where}", (bytes(after),))  # noqa: S608
        connection.commit()


@pytest.mark.parametrize(
    ("column", "check"), [("payload", Check.RECORD), ("previous_hash", Check.CHAIN), ("record_hash", Check.CHAIN)]
)
async def test_every_changed_byte_of_a_stored_record_is_found(
    filled: SqliteDecisionLog, storage, column: str, check: Check
) -> None:
    where = "decision_id = 'd-2'"
    length = value(storage.path, f"SELECT length({column}) FROM decisions WHERE {where}")  # noqa: S608
    for place in range(0, length, 1 if length < 100 else 37):
        flip(storage.path, "decisions", column, where, place)
        assert await verified(filled, "d-2") is check
        flip(storage.path, "decisions", column, where, place)
    assert await verified(filled, "d-2") is None


@pytest.mark.parametrize(
    ("part", "check"),
    [("registry", Check.SNAPSHOT), ("rules", Check.STORED_RULES), ("state", Check.STATE)],
)
@pytest.mark.parametrize("column", ["body", "body_hash"])
async def test_every_changed_byte_of_a_stored_world_is_found(
    filled: SqliteDecisionLog, storage, part: str, check: Check, column: str
) -> None:
    where = f"part = '{part}'"
    length = value(storage.path, f"SELECT length({column}) FROM decision_worlds WHERE {where}")  # noqa: S608
    for place in range(length):
        flip(storage.path, "decision_worlds", column, where, place)
        assert await verified(filled, "d-2") is check
        flip(storage.path, "decision_worlds", column, where, place)
    assert await verified(filled, "d-2") is None


async def test_an_id_that_is_no_text_any_more_can_still_be_read(filled: SqliteDecisionLog, storage) -> None:
    changed(storage.path, "UPDATE decisions SET decision_id = CAST(x'ff' AS TEXT) WHERE decision_id = 'd-2'")
    assert await verified(filled, "d-3") is Check.CHAIN
    assert await verified(filled, "d-1") is None
    assert [each.decision_id for each in await filled.listed("org-a")] == ["d-3", "\ufffd", "d-1"]


async def test_a_world_is_stored_once_and_compressed(filled: SqliteDecisionLog, storage) -> None:
    assert value(storage.path, "SELECT count(*) FROM decision_worlds") == len(WorldPart)
    await filled.append("d-4", decided(OTHER), OTHER)
    assert value(storage.path, "SELECT count(*) FROM decision_worlds") == len(WorldPart) + 1
    body = value(storage.path, "SELECT body FROM decision_worlds WHERE part = 'registry'")
    assert zlib.decompress(body).startswith(b'{"contracts":')


async def test_a_world_without_its_digest_is_a_defect_and_leaves_nothing(
    sqlite_log: SqliteDecisionLog, storage
) -> None:
    wrong = replace(WORLD, state=replace(WORLD.state, digest="0" * 64))
    with pytest.raises(Internal):
        await sqlite_log.append("d-1", decided_in(wrong, DECISION), wrong)
    assert await chain_of(sqlite_log) == []
    await sqlite_log.append("d-1", decided(), WORLD)
    assert await verified(sqlite_log, "d-1") is None


async def test_worlds_go_when_no_record_can_need_them(sqlite_log: SqliteDecisionLog, storage) -> None:
    await sqlite_log.append("old", decided(OTHER), OTHER)
    count = 2 * USE_STEP + 10
    for number in range(count):
        await sqlite_log.append(f"d-{number}", decided(), WORLD)
    while await sqlite_log.prune(older_than=NOW, keep=5, limit=100):
        pass
    assert value(storage.path, "SELECT count(*) FROM decision_worlds WHERE part = 'state'") == 1
    assert [await verified(sqlite_log, f"d-{number}") for number in (count - 5, count - 1)] == [None, None]
    # It comes back with the next record that needs it.
    await sqlite_log.append("new", decided(OTHER), OTHER)
    assert await verified(sqlite_log, "new") is None


async def test_two_logs_on_one_file_keep_worlds_for_each_other(sqlite_log: SqliteDecisionLog, storage) -> None:
    other = SqliteDecisionLog(storage.database, storage.writer)
    await sqlite_log.append("first", decided(OTHER), OTHER)
    for number in range(2 * USE_STEP):
        await other.append(f"d-{number}", decided(), WORLD)
    while await other.prune(older_than=NOW, keep=1, limit=100):
        pass
    # The other log removed the world that this one believes to be there.
    assert value(storage.path, "SELECT count(*) FROM decision_worlds WHERE part = 'state'") == 1
    await sqlite_log.append("again", decided(OTHER), OTHER)
    assert await verified(sqlite_log, "again") is None


async def test_a_database_that_is_closed(sqlite_log: SqliteDecisionLog, storage) -> None:
    await storage.writer.stop()
    with pytest.raises(UpstreamDown):
        await append(sqlite_log, "d-1")
