"""Days, months, who pays, and when a budget refuses; and the metrics of the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from router_money_fakes import ANN, BOB, NOON, FakeLimitBook, MemoryLedger, closing, daily, monthly, opening

from provider_router.adapters.ledger_metered import MeteredLedger
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.budget import BudgetStatus, Period, Scope
from provider_router.domain.money.spending import day_of, first_day, payers, refusal, reset_time, status_of
from provider_router.use_cases.list_attempts import AttemptsWanted, ListAttempts
from provider_router.use_cases.summarize_usage import SummarizeUsage
from shared.errors import InvalidInput, QuotaExceeded, UpstreamDown
from shared.testing.fakes import FakeClock

times = st.datetimes(datetime(1970, 1, 1), datetime(2300, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(times)
def test_a_period_holds_its_time_and_ends_where_the_next_begins(time: datetime) -> None:
    day = day_of(time)
    for period in Period:
        begin = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=first_day(period, day))
        end = reset_time(period, day)
        assert begin <= time < end
        assert first_day(period, day_of(end)) == day_of(end)
        assert first_day(period, day_of(end - timedelta(microseconds=1))) == first_day(period, day)
    assert (reset_time(Period.DAY, day) - timedelta(days=1)).date() == time.date()
    assert reset_time(Period.MONTH, day).day == 1


def test_days_are_those_of_utc() -> None:
    elsewhere = datetime(2026, 12, 1, 1, tzinfo=timezone(timedelta(hours=5)))
    assert reset_time(Period.MONTH, day_of(elsewhere)) == datetime(2026, 12, 1, tzinfo=UTC)


def test_who_pays() -> None:
    assert list(payers(ANN, "c1")) == [
        (Scope.ORGANISATION, "acme"),
        (Scope.KEY, "key-1"),
        (Scope.USER, "ann"),
        (Scope.CONVERSATION, "c1"),
    ]
    assert [scope for scope, _ in payers(Caller("acme", "ann"), "")] == [Scope.ORGANISATION, Scope.USER]


amounts = st.integers(0, 10**15)


@given(amounts, amounts, amounts, amounts)
def test_a_budget_refuses_exactly_what_does_not_fit(limit: int, spent: int, reserved: int, needed: int) -> None:
    status = status_of(monthly(limit, subject="acme"), spent, reserved, day_of(NOON))
    error = refusal([status], needed, NOON)
    assert (error is None) == (needed == 0 or spent + reserved + needed <= limit)
    if error is not None:
        assert int(error.metadata["short_micro_usd"]) == spent + reserved + needed - limit
        assert error.retry_after_s == (status.reset_time - NOON).total_seconds()


@pytest.mark.parametrize(
    ("micro_usd", "shown"), [(1, "0.000001 USD"), (2_500_000, "2.50 USD"), (10, "0.00001 USD"), (3_000_000, "3.00 USD")]
)
def test_people_read_exact_dollars(micro_usd: int, shown: str) -> None:
    error = refusal([status_of(daily(0, subject="acme"), 0, 0, day_of(NOON))], micro_usd, NOON)
    assert error is not None
    assert f"may cost {shown}" in error.message
    assert "0.00 USD left, and" in error.message


async def test_pages_end_and_need_a_token_of_theirs() -> None:
    ledger = MemoryLedger()
    for n in range(7):
        await ledger.open(opening(f"a{n}"))
    list_attempts, found, token = ListAttempts(ledger), [], ""
    for size in (3, 3, 1):
        page = await list_attempts("acme", AttemptsWanted(3, token, newest_first=True))
        assert len(page.entries) == size
        found += [entry.opening.attempt_id for entry in page.entries]
        token = page.next_token
    assert (found, token) == ([f"a{n}" for n in range(6, -1, -1)], "")
    page = await list_attempts("acme", AttemptsWanted(7))
    assert page.next_token == ""
    with pytest.raises(InvalidInput, match="PAGE_TOKEN_INVALID"):
        await list_attempts("acme", AttemptsWanted(page_token="x!"))


async def test_usage_is_of_this_month_unless_a_time_is_given() -> None:
    clock, ledger = FakeClock(), MemoryLedger()
    month = clock.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for name, time in (("before", month - timedelta(microseconds=1)), ("now", month)):
        await ledger.open(opening(name, service=f"one/{name}", time=time))
        await ledger.close(closing(name))
    clock.advance(1)
    summarize = SummarizeUsage(ledger, clock)
    assert [found.service for found in await summarize("acme", None, None)] == ["one/now"]
    assert len(await summarize("acme", month - timedelta(days=1), None)) == 2
    assert [found.service for found in await summarize("acme", datetime(2000, 1, 1, tzinfo=UTC), month)] == [
        "one/before"
    ]
    with pytest.raises(InvalidInput, match="TIME_RANGE_INVALID"):
        await summarize("acme", month, month - timedelta(seconds=1))


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


async def test_writes_are_counted_by_outcome() -> None:
    memory = MemoryLedger(FakeLimitBook([monthly(150)]))
    ledger = MeteredLedger(memory, FakeClock())
    name = "nexus_router_ledger_writes_total"
    kinds = (("open", "ok"), ("open", "refused"), ("close", "ok"), ("close", "failed"))
    before = [sample(name, operation=operation, outcome=outcome) for operation, outcome in kinds]
    await ledger.open(opening("a1"))
    with pytest.raises(QuotaExceeded):
        await ledger.open(opening("a2"))
    await ledger.close(closing("a1"))
    memory.error = UpstreamDown("STORAGE_FULL", "Full.")
    with pytest.raises(UpstreamDown):
        await ledger.close(closing("a2"))
    after = [sample(name, operation=operation, outcome=outcome) for operation, outcome in kinds]
    assert [now - then for now, then in zip(after, before, strict=True)] == [1, 1, 1, 1]


async def test_the_gauge_shows_the_tightest_budget_of_a_scope_without_its_subject() -> None:
    book = FakeLimitBook([daily(1000, Scope.USER)])
    memory = MemoryLedger(book)
    ledger = MeteredLedger(memory, FakeClock())

    def left() -> float:
        return sample("nexus_router_budget_left_ratio", scope="user", period="day")

    await ledger.open(opening("a1", reserved_micro_usd=400))
    await ledger.budgets(ANN, "")
    assert left() == pytest.approx(0.6)
    await ledger.budgets(BOB, "")
    assert left() == pytest.approx(0.6)
    await ledger.open(opening("b1", caller=BOB, reserved_micro_usd=700))
    await ledger.budgets(BOB, "")
    assert left() == pytest.approx(0.3)
    # Settled at less than was reserved.
    await ledger.close(closing("b1", cost_micro_usd=500))
    await ledger.budgets(BOB, "")
    assert left() == pytest.approx(0.5)
    memory.now = NOON + timedelta(days=1)
    await ledger.budgets(ANN, "")
    assert left() == 1
    book.budgets = [replace(book.budgets[0], limit_micro_usd=0)]
    await ledger.budgets(ANN, "")
    assert left() == 0


def test_a_status_never_has_less_than_nothing_left() -> None:
    assert BudgetStatus(Scope.USER, "ann", Period.DAY, 10, 11, 0, NOON).left_micro_usd == 0
