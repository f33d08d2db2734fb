"""Writes of the ledger each second and the CPU they cost, beside bare SQLite in the same run. About twenty seconds.

    python -m benchmarks.router_ledger

One call writes twice: its attempt with what is reserved, and the settlement. CPU is that of the whole process, both
threads, and the figure to trust; wall times drift with the machine. "On the disk" is what the setting
NEXUS_ROUTER_SURVIVES_POWER_CUTS asks for.
"""

from __future__ import annotations

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from benchmarks.report import Row, show
from provider_router.adapters.ledger_rows import INSERT, opening_row
from provider_router.adapters.ledger_sqlite import SqliteLedger
from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.adapters.rate_limiter_sqlite import SqliteRateLimiter
from provider_router.adapters.router_presence import RouterPresence
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening, Outcome
from provider_router.domain.money.budget import BudgetLimit, Period, Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit
from shared.clock import SystemClock
from shared.ids import new_id
from shared.storage import Database, GroupCommit
from shared.storage.sqlite_file import Synchronous

MIGRATIONS = "provider_router.adapters.migrations"
CALLER = Caller("org", "user", "key")
USAGE = TokenUsage(1000, 200)
ROUNDS = 3
CALLS = 4000
BUDGETED = (
    (Scope.ORGANISATION, "org", Period.MONTH),
    (Scope.USER, "user", Period.DAY),
    (Scope.KEY, "key", Period.MONTH),
    (Scope.CONVERSATION, "talk", Period.DAY),
)


class Book:
    """Four budgets, or none."""

    def __init__(self, *, limited: bool) -> None:
        limits = [BudgetLimit(scope, subject, period, 10**15, "org") for scope, subject, period in BUDGETED]
        self._limits = limits if limited else []

    def budgets_for(self, caller: Caller, conversation_id: str) -> Sequence[BudgetLimit]:
        """The budgets."""
        del caller, conversation_id
        return self._limits

    def problem(self) -> str:
        """None."""
        return ""

    def request_charges(self, caller: Caller) -> Sequence[Charge]:
        """Nothing."""
        del caller
        return ()

    def token_charges(self, caller: Caller, tokens: int) -> Sequence[Charge]:
        """Nothing."""
        del caller, tokens
        return ()


def opening(cost_micro_usd: int) -> AttemptOpening:
    """A new attempt."""
    return AttemptOpening(
        attempt_id=new_id(),
        decision_id=new_id(),
        caller=CALLER,
        conversation_id="talk",
        operation=Operation.CHAT,
        service="openai/gpt-5.1",
        deployment="default",
        number=1,
        streamed=True,
        hedge=False,
        price_version="openai/gpt-5.1@2025-08-07",
        reserved=USAGE,
        reserved_micro_usd=cost_micro_usd,
        time=datetime.now(UTC),
    )


def settlement(attempt_id: str, cost_micro_usd: int) -> AttemptClosing:
    """Its success."""
    time_now = datetime.now(UTC)
    return AttemptClosing(attempt_id, Outcome.SUCCEEDED, "", USAGE, False, cost_micro_usd, 300, 2000, time_now)  # noqa: FBT003


@asynccontextmanager
async def ledger_on(folder: Path, *, limited: bool, synchronous: Synchronous) -> AsyncGenerator[SqliteLedger]:
    """A ledger on a file of its own."""
    path = folder / f"{new_id()}.sqlite"
    database, presence = Database(path, MIGRATIONS), RouterPresence(path, new_id())
    writer = GroupCommit(path, synchronous=synchronous)
    await database.open()
    await writer.start()
    presence.announce()
    yield SqliteLedger(database, writer, Book(limited=limited), presence, SystemClock())
    presence.withdraw()
    await writer.stop()
    await database.close()


async def measured(call: Callable[[], Awaitable[object]], at_once: int, calls: int = CALLS) -> tuple[float, float]:
    """Make calls, so many at once; returns calls a second and microseconds of CPU a call."""
    left = iter(range(calls))

    async def stream() -> None:
        for _ in left:
            await call()

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(stream() for _ in range(at_once)))
    spent = time.process_time() - cpu
    return calls / (time.perf_counter() - began), spent / calls * 1e6


async def one_call(ledger: SqliteLedger, cost_micro_usd: int) -> None:
    """Open and close an attempt."""
    attempt = opening(cost_micro_usd)
    await ledger.open(attempt)
    await ledger.close(settlement(attempt.attempt_id, cost_micro_usd // 2))


async def ledger_calls(
    folder: Path, at_once: int, cost_micro_usd: int, *, limited: bool, synchronous: Synchronous = "NORMAL"
) -> tuple[float, float]:
    """Open and close attempts; figures for one of the two writes."""
    async with ledger_on(folder, limited=limited, synchronous=synchronous) as ledger:
        await measured(lambda: one_call(ledger, cost_micro_usd), at_once, 200)
        calls = CALLS if at_once > 1 else CALLS // 4
        rate, cpu_us = await measured(lambda: one_call(ledger, cost_micro_usd), at_once, calls)
    return rate * 2, cpu_us / 2


async def bare_inserts(folder: Path) -> tuple[float, float]:
    """Insert the same rows by a bare connection, each in a transaction of its own."""
    path = folder / f"{new_id()}.sqlite"
    database = Database(path, MIGRATIONS)
    await database.open()
    await database.close()
    rows = [(number, *opening_row(opening(100), "r")) for number in range(CALLS)]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        began, cpu = time.perf_counter(), time.process_time()
        for row in rows:
            INSERT.execute(connection, [row])
        spent = time.process_time() - cpu
        return CALLS / (time.perf_counter() - began), spent / CALLS * 1e6


async def limiter_calls(folder: Path, *, shared: bool) -> tuple[float, float]:
    """Take of two buckets, in memory or in the file."""
    buckets = [Bucket(Scope.USER, "org/user", unit, 10**9) for unit in Unit]
    charges = [Charge(bucket, 1) for bucket in buckets]
    if not shared:
        memory = MemoryRateLimiter(SystemClock())
        return await measured(lambda: memory.acquire(charges), 64, CALLS * 5)
    path = folder / f"{new_id()}.sqlite"
    database, writer = Database(path, MIGRATIONS), GroupCommit(path)
    await database.open()
    await writer.start()
    limiter = SqliteRateLimiter(writer, SystemClock())
    found = await measured(lambda: limiter.acquire(charges), 64)
    await writer.stop()
    await database.close()
    return found


async def measure(folder: Path) -> list[Row]:
    """Everything, in turns, so that what else the machine does weighs on all alike; medians."""
    kinds: dict[str, Callable[[], Awaitable[tuple[float, float]]]] = {
        "bare sqlite3 insert, one transaction each (reference)": lambda: bare_inserts(folder),
        "ledger write, no cost, 64 calls at once": lambda: ledger_calls(folder, 64, 0, limited=False),
        "ledger write, no budget, 64 calls at once": lambda: ledger_calls(folder, 64, 100, limited=False),
        "ledger write, 4 budgets, 64 calls at once": lambda: ledger_calls(folder, 64, 100, limited=True),
        "ledger write, 4 budgets, 1000 calls at once": lambda: ledger_calls(folder, 1000, 100, limited=True),
        "ledger write, 4 budgets, 1 call": lambda: ledger_calls(folder, 1, 100, limited=True),
        "ledger write, 4 budgets, 64 calls at once, on the disk": lambda: ledger_calls(
            folder, 64, 100, limited=True, synchronous="FULL"
        ),
        "ledger write, 4 budgets, 1 call, on the disk": lambda: ledger_calls(
            folder, 1, 100, limited=True, synchronous="FULL"
        ),
        "rate limiter in memory, 2 buckets": lambda: limiter_calls(folder, shared=False),
        "rate limiter in the file, 2 buckets, 64 at once": lambda: limiter_calls(folder, shared=True),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
    for _ in range(ROUNDS):
        for name, kind in kinds.items():
            found[name].append(await kind())
    rows: list[Row] = []
    for name, values in found.items():
        rows.append(Row(name, statistics.median(rate for rate, _ in values), "1/s"))
        rows.append(Row(f"{name}: CPU", statistics.median(cpu_us for _, cpu_us in values), "us"))
    return rows


def main() -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(prefix="nexus-bench-") as folder:
        show(uvloop.run(measure(Path(folder))))


if __name__ == "__main__":
    main()
