"""What opening a call promises, step by step over other ports and in one operation of SQLite."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from router_decision_fakes import FakeDecisionLog, world_of
from router_decisions import DECISION as MADE_UP
from router_money_fakes import ANN, FakeLimitBook, MemoryLedger, daily, opening

from provider_router.adapters.call_opener_sqlite import SqliteCallOpener
from provider_router.adapters.call_opener_stepwise import StepwiseCallOpener
from provider_router.adapters.decision_log_sqlite import SqliteDecisionLog
from provider_router.adapters.ledger_sqlite import SqliteLedger
from provider_router.adapters.rate_limiter_memory import MemoryRateLimiter
from provider_router.adapters.rate_limiter_sqlite import SqliteRateLimiter
from provider_router.adapters.router_presence import RouterPresence
from provider_router.domain.decisions.call_entry import AttemptEntry, CallEntry, Limited
from provider_router.domain.money.budget import Scope
from provider_router.domain.money.rate import Bucket, Charge, Unit
from provider_router.ports.call_opener import CallOpener
from provider_router.ports.decision_log import DecisionLog
from provider_router.ports.ledger import Ledger
from provider_router.ports.rate_limiter import RateLimiter
from shared.errors import QuotaExceeded, UpstreamDown
from shared.storage import Database, GroupCommit
from shared.testing.fakes import FakeClock

WORLD = world_of()
DECISION = replace(
    MADE_UP,
    registry_digest=WORLD.registry.digest,
    rules_digest=WORLD.rules.digest,
    state_digest=WORLD.state.digest,
)
ORG = DECISION.request.caller.org_id


def requests(amount: int = 1) -> tuple[Charge, ...]:
    return (Charge(Bucket(Scope.USER, "acme/ann", Unit.REQUESTS, 2), amount),)


def tokens(amount: int) -> tuple[Charge, ...]:
    return (Charge(Bucket(Scope.USER, "acme/ann", Unit.TOKENS, 100), amount),)


def provider(amount: int) -> tuple[Charge, ...]:
    return (Charge(Bucket(Scope.PROVIDER, "one", Unit.TOKENS, 100), amount),)


@dataclass
class Store:
    """An opener, and the ports that show what it did."""

    opener: CallOpener
    log: DecisionLog
    limiter: RateLimiter
    ledger: Ledger
    book: FakeLimitBook

    async def decisions(self) -> list[str]:
        return [each.decision_id for each in await self.log.listed(ORG)]

    async def attempts(self) -> list[str]:
        return [each.opening.attempt_id for each in await self.ledger.entries("acme")]

    async def left(self, *charges: Sequence[Charge]) -> list[bool]:
        """Whether so much can be taken still; takes it."""
        return [await self.limiter.acquire(each) == 0 for each in charges]


def entry(decision_id: str = "d1", **changes: object) -> CallEntry:
    return replace(CallEntry(decision_id, DECISION, WORLD, requests(), tokens(60)), **changes)


def attempt(attempt_id: str = "a1", *, takes: int = 60, **changes: object) -> AttemptEntry:
    return AttemptEntry(opening(attempt_id, **changes), provider(takes))


@pytest.fixture(params=["stepwise", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    book = FakeLimitBook()
    if request.param == "stepwise":
        clock = FakeClock()
        log, limiter, ledger = FakeDecisionLog(), MemoryRateLimiter(clock), MemoryLedger(book)
        yield Store(StepwiseCallOpener(log, limiter, ledger), log, limiter, ledger, book)
        return
    async with _sqlite_store(tmp_path, book) as (made, _, _):
        yield made


@asynccontextmanager
async def _sqlite_store(
    tmp_path: Path, book: FakeLimitBook | None = None
) -> AsyncGenerator[tuple[Store, GroupCommit, SqliteLedger]]:
    book, clock = book or FakeLimitBook(), FakeClock()
    path = tmp_path / "router.sqlite"
    database, writer = Database(path, "provider_router.adapters.migrations"), GroupCommit(path)
    await database.open()
    await writer.start()
    presence = RouterPresence(path, "r1")
    presence.announce()
    stored = SqliteLedger(database, writer, book, presence, clock)
    kept, shared = SqliteDecisionLog(database, writer), SqliteRateLimiter(writer, clock)
    yield Store(SqliteCallOpener(writer, kept, shared, stored), kept, shared, stored, book), writer, stored
    await writer.stop()
    presence.withdraw()
    await database.close()


async def test_a_call_and_its_attempt_are_opened_at_once(store: Store) -> None:
    assert await store.opener.open(entry(), attempt()) is None
    assert await store.decisions() == ["d1"]
    assert await store.attempts() == ["a1"]
    assert await store.left(requests(2), tokens(41), provider(41)) == [False] * 3
    assert await store.left(requests(1), tokens(40), provider(40)) == [True] * 3


async def test_without_room_for_requests_nothing_took_place(store: Store) -> None:
    await store.limiter.acquire(requests(2))
    refused = await store.opener.open(entry(), attempt())
    assert refused is not None
    assert (refused.limited, refused.wait_s) == (Limited.REQUESTS, pytest.approx(30))
    assert (await store.decisions(), await store.attempts()) == ([], [])
    assert await store.left(tokens(100), provider(100)) == [True, True]


@pytest.mark.parametrize("has_requests", [False, True])
async def test_without_room_for_tokens_there_is_a_record_and_the_requests_come_back(
    store: Store, has_requests: bool
) -> None:
    await store.limiter.acquire(tokens(50))
    if has_requests:
        await store.limiter.acquire(requests())
    refused = await store.opener.open(entry(has_requests=has_requests), attempt())
    assert refused is not None
    assert refused.limited is Limited.TOKENS
    assert (await store.decisions(), await store.attempts()) == (["d1"], [])
    assert await store.left(requests(2), tokens(50), provider(100)) == [True] * 3


async def test_without_room_at_the_provider_the_call_has_its_entry(store: Store) -> None:
    await store.limiter.acquire(provider(50))
    refused = await store.opener.open(entry(), attempt())
    assert refused is not None
    assert refused.limited is Limited.PROVIDER
    assert (await store.decisions(), await store.attempts()) == (["d1"], [])
    assert await store.left(requests(2), tokens(41), provider(50)) == [False, False, True]


async def test_without_room_in_a_budget_the_provider_has_its_room_back(store: Store) -> None:
    store.book.budgets = [daily(99)]
    with pytest.raises(QuotaExceeded, match="BUDGET_EXHAUSTED"):
        await store.opener.open(entry(), attempt())
    assert (await store.decisions(), await store.attempts()) == (["d1"], [])
    assert await store.left(tokens(41), provider(100)) == [False, True]
    # The call goes on with a cheaper attempt, and makes its entry no second time.
    assert await store.opener.open(None, attempt("a2", takes=0, reserved_micro_usd=99)) is None
    assert (await store.decisions(), await store.attempts()) == (["d1"], ["a2"])


async def test_what_was_undone_is_not_kept(tmp_path: Path) -> None:
    async with _sqlite_store(tmp_path) as (store, writer, ledger):

        def break_off() -> None:
            raise ZeroDivisionError

        async def broken() -> None:
            await writer.note(break_off, ledger.notebook)

        # All of one transaction.
        made = [store.opener.open(entry(f"d{n}", requests=(), tokens=()), attempt(f"a{n}", takes=0)) for n in range(20)]
        made += [ledger.open(opening(f"b{n}")) for n in range(20)]
        found = await asyncio.gather(*made, broken(), return_exceptions=True)
        assert all(isinstance(each, UpstreamDown) for each in found)
        assert not ledger.notebook._open
        await ledger.open(opening("a0"))
        assert (await store.attempts(), list(ledger.notebook._open)) == (["a0"], ["a0"])


async def test_a_call_without_an_attempt_is_written_down(store: Store) -> None:
    assert await store.opener.open(entry(), None) is None
    assert (await store.decisions(), await store.attempts()) == (["d1"], [])


async def test_many_at_once_get_what_there_is_and_keep_one_chain(store: Store) -> None:
    store.book.budgets = [daily(500)]
    made = [
        store.opener.open(entry(f"d{n}", requests=(), tokens=()), AttemptEntry(opening(f"a{n}"), ())) for n in range(20)
    ]
    found = await asyncio.gather(*made, return_exceptions=True)
    assert sum(each is None for each in found) == 5
    assert sum(isinstance(each, QuotaExceeded) for each in found) == 15
    records = await store.log.following(ORG, after_sequence=0, limit=100)
    assert [each.sequence for each in records] == list(range(1, 21))
    assert all(one.record_hash == two.previous_hash for one, two in itertools.pairwise(records))
    (status,) = await store.ledger.budgets(ANN, "")
    assert (status.reserved_micro_usd, status.left_micro_usd) == (500, 0)
