"""The ledger of several processes on one file, of which some are killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from router_money_fakes import ANN, monthly
from test_ledger_sqlite import assert_sums_agree, rows_of

from provider_router.domain.money.attempt import Outcome

ROOT = Path(__file__).resolve().parents[3]
LIMIT = 20_000
MORE_THAN_IS_SPENT = 100 * LIMIT
"""A process that is to be killed must still be at work then."""
# Opens attempts that reserve 100 each and settles them at 1 to 100, 32 at once, until the budget is spent; prints
# which were settled, and at what.
PROGRAM = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, "tests")
from router_money_fakes import FakeLimitBook, closing, monthly, opening
from provider_router.adapters.ledger_sqlite import SqliteLedger
from provider_router.adapters.router_presence import RouterPresence
from shared.clock import SystemClock
from shared.errors import QuotaExceeded
from shared.storage import Database, GroupCommit

path, router_id = Path(sys.argv[1]), sys.argv[2]

async def main():
    database, writer = Database(path, "provider_router.adapters.migrations"), GroupCommit(path)
    await database.open()
    await writer.start()
    presence = RouterPresence(path, router_id)
    presence.announce()
    ledger = SqliteLedger(database, writer, FakeLimitBook([monthly(int(sys.argv[3]))]), presence, SystemClock())
    async def stream(part):
        for n in range(part, 100_000, 32):
            attempt_id, cost = f"{router_id}-{n}", n % 100 + 1
            try:
                await ledger.open(opening(attempt_id, reserved_micro_usd=100))
            except QuotaExceeded:
                return
            print("opened", attempt_id, 0, flush=True)
            await asyncio.sleep(0.001)
            await ledger.close(closing(attempt_id, cost_micro_usd=cost))
            print("closed", attempt_id, cost, flush=True)
    await asyncio.gather(*(stream(part) for part in range(32)))
    await writer.stop()
    presence.withdraw()

asyncio.run(main())
"""


def started(path: Path, router_id: str, limit: int = LIMIT) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", PROGRAM, str(path), router_id, str(limit)]
    return subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def told(output: str, verb: str) -> dict[str, int]:
    lines = [line.split() for line in output.split("\n")[:-1]]
    return {line[1]: int(line[2]) for line in lines if line[0] == verb}


async def totals(routers) -> tuple[int, int]:
    routers.book.budgets = [monthly(LIMIT)]
    ledger = await routers.started("looking")
    (status,) = await ledger.budgets(ANN, "")
    return status.spent_micro_usd, status.reserved_micro_usd


async def test_two_processes_spend_one_budget_exactly(sqlite_routers) -> None:
    path = sqlite_routers._path
    await sqlite_routers.database.open()
    processes = [started(path, name) for name in ("one", "two")]
    closed: dict[str, int] = {}
    for process in processes:
        closed |= told(process.communicate(timeout=60)[0], "closed")
        assert process.returncode == 0
    spent, reserved = await totals(sqlite_routers)
    assert (spent, reserved) == (sum(closed.values()), 0)
    # As much as fits, and no more: the next reservation of 100 would not.
    assert LIMIT - 100 < spent <= LIMIT
    assert_sums_agree(path)


async def test_a_killed_process_leaks_nothing_and_counts_nothing_twice(sqlite_routers) -> None:
    path = sqlite_routers._path
    await sqlite_routers.database.open()
    outputs: list[str] = []
    for router_id, lines in (("one", 20), ("two", 100), ("three", 300)):
        process = started(path, router_id, MORE_THAN_IS_SPENT)
        assert process.stdout is not None
        read = [process.stdout.readline() for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        read.append(process.stdout.read())
        process.wait()
        process.stdout.close()
        outputs.append("".join(read))
    opened = {k: v for output in outputs for k, v in told(output, "opened").items()}
    closed = {k: v for output in outputs for k, v in told(output, "closed").items()}
    ledger = await sqlite_routers.started("next")
    assert await ledger.recover() > 0
    entries = {e.opening.attempt_id: e for e in await ledger.entries("acme", limit=100_000)}
    assert opened.keys() <= entries.keys()
    assert {k: entries[k].closing.cost_micro_usd for k in closed} == closed
    lost = [e for e in entries.values() if e.closing.outcome is Outcome.LOST]
    assert lost
    assert {e.closing.cost_micro_usd for e in lost} == {100}
    spent, reserved = await totals(sqlite_routers)
    assert (spent, reserved) == (sum(e.closing.cost_micro_usd for e in entries.values()), 0)
    assert_sums_agree(path)
    assert rows_of(path, "SELECT count(*) FROM ledger_attempts WHERE outcome = 'open'") == [(0,)]
