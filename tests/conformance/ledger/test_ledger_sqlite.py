"""What is particular to the ledger in SQLite: plans, failures of the disk, and sums that agree with the rows."""

from __future__ import annotations

import asyncio
import re
import shutil
import sqlite3
from contextlib import closing as closed
from datetime import timedelta
from pathlib import Path

import pytest
from router_money_fakes import ANN, EVE, NOON, closing, monthly, opening

from provider_router.adapters import ledger_rows, ledger_sqlite, migrations, spend_rows
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.spending import day_of
from shared.errors import UpstreamDown
from shared.storage.migrations import upgrade

SUMS = """
SELECT org_id, scope, subject, day, sum(spent), sum(reserved) FROM (
  SELECT org_id, 'organisation' AS scope, org_id AS subject, day, cost_micro_usd AS spent,
         (outcome = 'open') * reserved_micro_usd AS reserved FROM ledger_attempts
  UNION ALL SELECT org_id, 'user', user_id, day, cost_micro_usd, (outcome = 'open') * reserved_micro_usd
            FROM ledger_attempts
  UNION ALL SELECT org_id, 'key', key_id, day, cost_micro_usd, (outcome = 'open') * reserved_micro_usd
            FROM ledger_attempts WHERE key_id <> ''
  UNION ALL SELECT org_id, 'conversation', conversation_id, day, cost_micro_usd,
            (outcome = 'open') * reserved_micro_usd FROM ledger_attempts WHERE conversation_id <> ''
) GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
"""


def rows_of(path: Path, statement: str, parameters: tuple = ()) -> list[tuple]:
    with closed(sqlite3.connect(path)) as connection:
        return connection.execute(statement, parameters).fetchall()


def assert_sums_agree(path: Path) -> None:
    """What budgets count is the sum of the ledger's rows, for every payer and day."""
    stored = rows_of(path, "SELECT * FROM spend ORDER BY 1, 2, 3, 4")
    assert stored == [row for row in rows_of(path, SUMS) if row in stored or row[4:] != (0, 0)]


@pytest.fixture
def path(sqlite_routers) -> Path:
    return sqlite_routers._path


@pytest.fixture
async def ledger(sqlite_routers):
    return await sqlite_routers.started()


def statements() -> dict[str, str]:
    found = {
        **{f"insert {n}": ledger_rows.INSERT.sized(n) for n in (1, 4)},
        **{f"settle {n}": ledger_rows.SETTLE.sized(n) for n in (1, 4)},
        "settle one": ledger_rows.SETTLE_BY_ID,
        "newest": ledger_rows.NEWEST,
        "is there": ledger_rows.IS_THERE,
        "undo": ledger_rows.UNDO,
        "sum": spend_rows.SUM,
        "routers": ledger_sqlite.OPEN_ROUTERS,
        "open": ledger_rows.OPEN_ATTEMPTS,
        "summary": ledger_sqlite.SUMMARY,
        "forget": spend_rows.FORGET,
        **{f"add {n}": spend_rows.ADD.sized(n) for n in (1, 4)},
    }
    for of_decision in (False, True):
        for newest_first in (False, True):
            name = f"list {of_decision} {newest_first}"
            found[name] = ledger_sqlite.listing(of_decision=of_decision, newest_first=newest_first)
    return found


@pytest.mark.parametrize("name", statements())
async def test_no_statement_scans_a_table_or_sorts_it(ledger, path: Path, name: str) -> None:
    statement = statements()[name]
    named = re.findall(r":(\w+)", statement)
    parameters = dict.fromkeys(named, 1) if named else (1,) * statement.count("?")
    with closed(sqlite3.connect(path)) as connection:
        plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]
    # Constants of an INSERT are no table; the open attempts are scanned in an index that holds no others. Only the
    # summary sorts, and what it sorts is one row a model.
    scans = [step for step in plan if step.startswith("SCAN") and "CONSTANT ROW" not in step and step != "SCAN v"]
    assert scans in ([], ["SCAN ledger_attempts USING INDEX ledger_attempts_open"])
    assert not scans or name == "routers"
    assert name == "summary" or not any("TEMP B-TREE" in step for step in plan)


async def test_sums_agree_with_the_rows(ledger, path: Path) -> None:
    for n in range(40):
        await ledger.open(opening(f"a{n}", conversation_id="c1" if n % 3 else "", reserved_micro_usd=n * 10))
        if n % 4:
            await ledger.close(closing(f"a{n}", cost_micro_usd=n * 7))
    assert_sums_agree(path)


async def test_counters_of_months_that_are_over_are_removed_and_open_reservations_stay(
    ledger, sqlite_routers, path: Path
) -> None:
    sqlite_routers.book.budgets = [monthly(1000)]
    for n in range(1, 4):
        await ledger.open(opening(f"a{n}", conversation_id=f"c{n}", reserved_micro_usd=100))
    for n in range(1, 3):
        await ledger.close(closing(f"a{n}", cost_micro_usd=60))
    sqlite_routers.at(NOON + timedelta(days=8))
    await ledger.recover()
    assert {row[2] for row in rows_of(path, "SELECT * FROM spend")} >= {"c1", "c2", "c3"}
    sqlite_routers.at(NOON + timedelta(days=40))
    await ledger.recover()
    assert {row[2:] for row in rows_of(path, "SELECT * FROM spend WHERE scope = 'conversation'")} == {
        ("c3", day_of(NOON), 0, 100)
    }
    # What is settled late counts where it was reserved, and its counters go with the next look.
    await ledger.close(closing("a3", cost_micro_usd=70))
    (status,) = await ledger.budgets(ANN, "")
    assert (status.spent_micro_usd, status.reserved_micro_usd) == (0, 0)
    await ledger.recover()
    assert rows_of(path, "SELECT * FROM spend") == []
    assert [e.closing and e.closing.cost_micro_usd for e in await ledger.entries("acme")] == [60, 60, 70]


async def test_an_older_file_gets_numbers_of_each_organisation(tmp_path: Path, monkeypatch) -> None:
    now = Path(migrations.__file__).parent
    older = tmp_path / "older_migrations"
    shutil.copytree(now, older, ignore=shutil.ignore_patterns("0006_*", "__pycache__"))
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "older.sqlite"
    upgrade(path, older.name)
    with closed(sqlite3.connect(path)) as connection:
        insert = ledger_rows.INSERT.sized(1).replace("(sequence, ", "(").replace("(?, ", "(")
        for name, caller in (("a1", ANN), ("e1", EVE), ("a2", ANN), ("e2", EVE), ("a3", ANN)):
            connection.execute(insert, ledger_rows.opening_row(opening(name, caller=caller), "r1"))
        connection.commit()
        # As a killed upgrade leaves it.
        connection.execute("CREATE TABLE ledger_renumbered (x)")
    upgrade(path, "provider_router.adapters.migrations")
    numbered = rows_of(path, "SELECT org_id, sequence, attempt_id FROM ledger_attempts ORDER BY 1, 2")
    assert numbered == [("acme", 1, "a1"), ("acme", 2, "a2"), ("acme", 3, "a3"), ("evil", 1, "e1"), ("evil", 2, "e2")]


async def test_a_closing_that_could_not_be_written_is_written_by_the_next_recovery(sqlite_routers, path: Path) -> None:
    sqlite_routers.book.budgets = [monthly(1000)]
    ledger = await sqlite_routers.started(busy_ms=20)
    await ledger.open(opening("a1"))
    await ledger.open(opening("a2"))
    with closed(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for name in ("a1", "a2"):
            with pytest.raises(UpstreamDown, match="STORAGE_BUSY"):
                await ledger.close(closing(name))
        with pytest.raises(UpstreamDown, match="STORAGE_BUSY"):
            await ledger.recover()
        other.execute("ROLLBACK")
    # One that its caller tried again in the meantime is not written twice.
    await ledger.close(closing("a2", cost_micro_usd=5))
    assert await ledger.recover() == 0
    assert [e.closing and e.closing.cost_micro_usd for e in await ledger.entries("acme")] == [60, 5]
    (status,) = await ledger.budgets(ANN, "")
    assert (status.spent_micro_usd, status.reserved_micro_usd) == (65, 0)


async def test_a_closing_whose_caller_leaves_is_written(ledger, path: Path) -> None:
    await ledger.open(opening())
    task = asyncio.create_task(ledger.close(closing()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ledger.open(opening("later"))
    first, _ = await ledger.entries("acme")
    assert first.closing is not None
    assert first.closing.outcome is Outcome.SUCCEEDED


async def test_a_router_that_stops_in_good_order_leaves_no_lock(sqlite_routers, path: Path) -> None:
    await sqlite_routers.started()
    folder = path.with_name("router.sqlite.routers")
    assert [file.name for file in folder.iterdir()] == ["r1"]
    await sqlite_routers.stop()
    await sqlite_routers.stop()
    assert list(folder.iterdir()) == []
