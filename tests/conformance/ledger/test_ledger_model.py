"""The ledger in SQLite against a model of a few lines, over histories that hypothesis makes up."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from router_money_fakes import closing, opening
from test_ledger_sqlite import assert_sums_agree

from provider_router.adapters.ledger_sqlite import SqliteLedger
from provider_router.adapters.router_presence import RouterPresence
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.budget import BudgetLimit, Period, Scope
from shared.errors import QuotaExceeded
from shared.storage import Database, GroupCommit

START = datetime(2026, 11, 29, 12, tzinfo=UTC)
CALLERS = [Caller(org, user, key) for org in ("o1", "o2") for user, key in (("u1", "k1"), ("u1", "k2"), ("u2", ""))]
CONVERSATIONS = ["", "c1", "c2"]
BUDGETED = (Scope.ORGANISATION, Scope.KEY, Scope.USER, Scope.CONVERSATION)
Payers = dict[Scope, str]
FOLDER = tempfile.TemporaryDirectory(prefix="nexus-ledger-")  # removed at the end of the process


@cache
def template() -> Path:
    """An empty database at its newest version."""
    path = Path(FOLDER.name) / "template.sqlite"

    async def make() -> None:
        database = Database(path, "provider_router.adapters.migrations")
        await database.open()
        await database.close()

    asyncio.run(make())
    return path


@dataclass
class ModelRow:
    caller: Caller
    paying: Payers
    time: datetime
    reserved: int
    router: int
    cost: int | None = None
    lost: bool = False


def paying(caller: Caller, conversation_id: str) -> Payers:
    named = dict(zip(BUDGETED, (caller.org_id, caller.key_id, caller.user_id, conversation_id), strict=True))
    return {scope: subject for scope, subject in named.items() if subject}


class Book:
    """One limit for each scope and period, for everybody alike."""

    def __init__(self) -> None:
        self.limits: dict[tuple[Scope, Period], int] = {}

    def budgets_for(self, caller: Caller, conversation_id: str) -> list[BudgetLimit]:
        own = paying(caller, conversation_id)
        return [
            BudgetLimit(scope, own[scope], period, limit, caller.org_id)
            for (scope, period), limit in self.limits.items()
            if scope in own
        ]


class LedgerMachine(RuleBasedStateMachine):
    """Two routers open, settle and die; time goes on over the end of a month; limits come and go."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="nexus-ledger-"))
        self.path = self.folder / "router.sqlite"
        shutil.copy(template(), self.path)
        self.loop = asyncio.new_event_loop()
        self.book, self.time = Book(), START
        self.database = Database(self.path, "provider_router.adapters.migrations")
        self.done(self.database.open())
        self.rows: dict[str, ModelRow] = {}
        self.starts = 0
        self.writers: list[GroupCommit] = []
        self.routers = [self._started(), self._started()]

    def done(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(work)

    def now(self) -> datetime:
        return self.time

    def _started(self) -> tuple[int, SqliteLedger, RouterPresence]:
        self.starts += 1
        writer, presence = GroupCommit(self.path), RouterPresence(self.path, f"r{self.starts}")
        self.done(writer.start())
        self.writers.append(writer)
        presence.announce()
        return self.starts, SqliteLedger(self.database, writer, self.book, presence, self), presence

    def left(self, limit: BudgetLimit) -> int:
        """By the definition: the limit without all rows of its subject and period."""
        length = 10 if limit.period is Period.DAY else 7
        counted = [
            row
            for row in self.rows.values()
            if row.caller.org_id == limit.org_id
            and row.paying.get(limit.scope) == limit.subject
            and row.time.isoformat()[:length] == self.time.isoformat()[:length]
        ]
        return limit.limit_micro_usd - sum(row.reserved if row.cost is None else row.cost for row in counted)

    @rule(
        name=st.integers(0, 9),
        caller=st.sampled_from(CALLERS),
        conversation_id=st.sampled_from(CONVERSATIONS),
        reserved=st.integers(0, 60),
        router=st.integers(0, 1),
    )
    def open(self, name: int, caller: Caller, conversation_id: str, reserved: int, router: int) -> None:
        attempt_id = f"a{name}"
        number, ledger, _ = self.routers[router]
        limits = self.book.budgets_for(caller, conversation_id)
        fits = reserved == 0 or all(self.left(limit) >= reserved for limit in limits)
        try:
            self.done(
                ledger.open(
                    opening(
                        attempt_id,
                        caller=caller,
                        conversation_id=conversation_id,
                        reserved_micro_usd=reserved,
                        time=self.time,
                    )
                )
            )
        except QuotaExceeded as error:
            refused = error
        else:
            refused = None
        if refused is not None:
            assert not fits
            assert attempt_id not in self.rows
            assert int(refused.metadata["short_micro_usd"]) > 0
            return
        if attempt_id not in self.rows:
            assert fits
            self.rows[attempt_id] = ModelRow(caller, paying(caller, conversation_id), self.time, reserved, number)

    @rule(name=st.integers(0, 9), cost=st.integers(0, 80), router=st.integers(0, 1))
    def close(self, name: int, cost: int, router: int) -> None:
        attempt_id = f"a{name}"
        self.done(self.routers[router][1].close(closing(attempt_id, cost_micro_usd=cost)))
        row = self.rows.get(attempt_id)
        if row is not None and row.cost is None:
            row.cost = cost

    @rule(router=st.integers(0, 1), cleanly=st.booleans())
    def die_and_start_again(self, router: int, cleanly: bool) -> None:
        if cleanly:
            self.routers[router][2].withdraw()
        else:
            os.close(self.routers[router][2]._descriptor)
        self.routers[router] = self._started()

    @rule(router=st.integers(0, 1))
    def recover(self, router: int) -> None:
        alive = {number for number, _, _ in self.routers}
        lost = [row for row in self.rows.values() if row.cost is None and row.router not in alive]
        assert self.done(self.routers[router][1].recover()) == len(lost)
        for row in lost:
            row.cost, row.lost = row.reserved, True

    @rule(hours=st.integers(1, 20))
    def wait(self, hours: int) -> None:
        self.time += timedelta(hours=hours)

    @rule(scope=st.sampled_from(BUDGETED), period=st.sampled_from(Period), limit=st.none() | st.integers(0, 200))
    def configure(self, scope: Scope, period: Period, limit: int | None) -> None:
        self.book.limits.pop((scope, period), None)
        if limit is not None:
            self.book.limits[scope, period] = limit

    @invariant()
    def budgets_are_the_sums_of_rows(self) -> None:
        if not self.book.limits:
            return
        for caller in CALLERS[::2]:
            for status in self.done(self.routers[0][1].budgets(caller, "c1")):
                limit = BudgetLimit(status.scope, status.subject, status.period, status.limit_micro_usd, caller.org_id)
                counted = status.limit_micro_usd - status.spent_micro_usd - status.reserved_micro_usd
                assert counted == self.left(limit)

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        found = {
            entry.opening.attempt_id: entry.closing
            for org in ("o1", "o2")
            for entry in self.done(self.routers[0][1].entries(org))
        }
        assert {k: c.cost_micro_usd if c else None for k, c in found.items()} == {
            k: r.cost for k, r in self.rows.items()
        }
        assert {k for k, c in found.items() if c and c.outcome is Outcome.LOST} == {
            k for k, r in self.rows.items() if r.lost
        }
        for writer in self.writers:
            self.done(writer.stop())
        self.done(self.database.close())
        self.loop.close()
        for _, _, presence in self.routers:
            presence.withdraw()
        assert_sums_agree(self.path)
        shutil.rmtree(self.folder)


TestLedgerModel = LedgerMachine.TestCase
TestLedgerModel.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
