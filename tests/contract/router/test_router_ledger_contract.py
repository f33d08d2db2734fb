"""LedgerService over gRPC and a ledger in memory: every RPC, every error."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf import timestamp_pb2
from router_money_fakes import ANN, EVE, NOON, FakeLimitBook, MemoryLedger, closing, daily, monthly, opening

from protos.gen.nexus.router.v1 import ledger_pb2 as pb
from protos.gen.nexus.router.v1 import ledger_pb2_grpc
from provider_router.domain.errors import Reason, failure
from provider_router.domain.money.attempt import Outcome
from provider_router.domain.money.budget import Scope
from provider_router.servicer.ledger_servicer import LedgerServicer, LedgerUseCases
from provider_router.use_cases.invalidate_cache import InvalidateCache
from provider_router.use_cases.list_attempts import ListAttempts
from provider_router.use_cases.list_budgets import ListBudgets
from provider_router.use_cases.summarize_usage import SummarizeUsage
from shared.client import translated_errors
from shared.errors import Forbidden, InvalidInput, NexusError, PreconditionFailed, Unauthenticated, UpstreamDown
from shared.server import Registration, Service
from shared.testing.fakes import FakeClock
from shared.testing.harness import Served, principal, serving

Stub = ledger_pb2_grpc.LedgerServiceStub
WHO = principal("acme", "ann", key_id="key-1")


class FakeCache:
    """Notes what was to be removed."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []
        self.error: NexusError | None = None

    async def invalidate(self, org_id: str, *, model_prefix: str = "", created_before: datetime | None = None) -> int:
        if self.error is not None:
            raise self.error
        self.asked.append((org_id, model_prefix, created_before))
        return 3

    async def size(self) -> int:
        return 0

    def holds(self, *_: object) -> None:
        """Of the observer."""


class Router:
    """What is served, and what is behind it."""

    def __init__(self) -> None:
        self.book = FakeLimitBook()
        self.ledger = MemoryLedger(self.book)
        self.cache = FakeCache()
        self.clock = FakeClock()

    @asynccontextmanager
    async def served(self) -> AsyncGenerator[tuple[Stub, Served], None]:
        use_cases = LedgerUseCases(
            ListBudgets(self.ledger, self.book),
            ListAttempts(self.ledger),
            SummarizeUsage(self.ledger, self.clock),
            InvalidateCache(self.cache, self.cache, self.clock),
        )
        add = ledger_pb2_grpc.add_LedgerServiceServicer_to_server
        descriptor = pb.DESCRIPTOR.services_by_name["LedgerService"]
        async with serving(Service("router", [Registration(add, LedgerServicer(use_cases), descriptor)])) as served:
            yield Stub(served.channel_as(WHO)), served


@pytest.fixture
def router() -> Router:
    return Router()


REQUESTS = {
    "ListBudgets": pb.ListBudgetsRequest(),
    "ListLedgerAttempts": pb.ListLedgerAttemptsRequest(),
    "SummarizeUsage": pb.SummarizeUsageRequest(),
    "InvalidateCache": pb.InvalidateCacheRequest(request_id="r1"),
}
PERMISSIONS = {name: "cache.update" if name == "InvalidateCache" else "usage.read" for name in REQUESTS}


async def called(stub: Stub, request: object):
    """The reply; errors are those of the taxonomy."""
    async with translated_errors("router"):
        return await getattr(stub, type(request).__name__.removesuffix("Request"))(request, timeout=5)


async def test_budgets_of_the_caller_its_key_and_its_conversation(router: Router) -> None:
    router.book.budgets = [monthly(1_000), daily(500, Scope.KEY), daily(600, Scope.CONVERSATION)]
    router.book.error = "limits.yaml line 3: wrong"
    await router.ledger.open(opening("a1", conversation_id="c1"))
    await router.ledger.close(closing("a1", cost_micro_usd=40))
    await router.ledger.open(opening("a2", conversation_id="c1"))
    async with router.served() as (stub, _):
        reply = await called(stub, pb.ListBudgetsRequest(conversation_id="c1"))
        without = await called(stub, pb.ListBudgetsRequest())
    assert reply.config_error == "limits.yaml line 3: wrong"
    first = reply.budgets[0]
    assert (first.scope, first.subject, first.period) == ("key", "key-1", "day")
    assert (first.limit_micro_usd, first.spent_micro_usd, first.reserved_micro_usd) == (500, 40, 100)
    assert first.reset_time.ToDatetime(UTC) == datetime(2026, 11, 21, tzinfo=UTC)
    assert [budget.scope for budget in reply.budgets] == ["key", "conversation", "organisation"]
    assert [budget.scope for budget in without.budgets] == ["key", "organisation"]


async def test_attempts_of_the_organisation_in_pages(router: Router) -> None:
    for n in range(5):
        await router.ledger.open(opening(f"a{n}", decision_id=f"d{n % 2}", conversation_id="c1"))
        await router.ledger.open(opening(f"e{n}", caller=EVE))
    await router.ledger.close(closing("a0", outcome=Outcome.FAILED, reason="PROVIDER_ERROR", first_token_ms=None))
    async with router.served() as (stub, _):
        one = await called(stub, pb.ListLedgerAttemptsRequest(page_size=3))
        two = await called(stub, pb.ListLedgerAttemptsRequest(page_size=3, page_token=one.next_page_token))
        back = await called(stub, pb.ListLedgerAttemptsRequest(newest_first=True, decision_id="d1"))
    assert [a.attempt_id for a in (*one.attempts, *two.attempts)] == ["a0", "a1", "a2", "a3", "a4"]
    assert two.next_page_token == ""
    assert [a.attempt_id for a in back.attempts] == ["a3", "a1"]
    closed, opened = one.attempts[0], one.attempts[1]
    assert (closed.outcome, closed.reason, closed.cost_micro_usd) == ("failed", "PROVIDER_ERROR", 60)
    assert (closed.user_id, closed.key_id, closed.conversation_id) == ("ann", "key-1", "c1")
    assert closed.usage.cached_input_tokens == 4
    assert not closed.HasField("first_token_ms")
    assert (opened.outcome, opened.reserved_micro_usd, opened.HasField("end_time")) == ("open", 100, False)
    assert not opened.HasField("usage")
    assert closed.end_time.ToDatetime(UTC) == NOON + timedelta(seconds=1)


async def test_usage_by_model(router: Router) -> None:
    await router.ledger.open(opening("a1", time=router.clock.now()))
    await router.ledger.close(closing("a1"))
    router.clock.advance(60)
    async with router.served() as (stub, _):
        reply = await called(stub, pb.SummarizeUsageRequest())
        (found,) = reply.models
        end = timestamp_pb2.Timestamp(seconds=1)
        nothing = await called(stub, pb.SummarizeUsageRequest(start_time=timestamp_pb2.Timestamp(), end_time=end))
    assert found == pb.ModelUsage(
        model="one/m",
        attempts=1,
        succeeded=1,
        input_tokens=10,
        output_tokens=5,
        cached_input_tokens=4,
        reasoning_tokens=3,
        cost_micro_usd=60,
    )
    assert reply.cost_micro_usd == 60
    assert (list(nothing.models), nothing.cost_micro_usd) == ([], 0)


async def test_cached_answers_are_removed_by_model_and_by_age(router: Router) -> None:
    async with router.served() as (stub, _):
        request = pb.InvalidateCacheRequest(model_prefix="one/", request_id="r1")
        request.older_than.FromSeconds(60)
        assert (await called(stub, request)).removed == 3
        await called(stub, pb.InvalidateCacheRequest(request_id="r2"))
    now = router.clock.now()
    assert router.cache.asked == [("acme", "one/", now - timedelta(seconds=60)), ("acme", "", None)]


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (pb.ListLedgerAttemptsRequest(page_token="!"), "PAGE_TOKEN_INVALID"),
        (pb.ListLedgerAttemptsRequest(page_size=1001), "REQUEST_INVALID"),
        (pb.InvalidateCacheRequest(), "REQUEST_INVALID"),
        (pb.ListBudgetsRequest(conversation_id="x" * 129), "REQUEST_INVALID"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
async def test_a_wrong_request_is_refused(router: Router, request_, reason: str) -> None:
    async with router.served() as (stub, _):
        with pytest.raises(InvalidInput) as caught:
            await called(stub, request_)
    assert caught.value.reason == reason


async def test_a_time_that_ends_before_it_begins_is_refused(router: Router) -> None:
    request = pb.SummarizeUsageRequest()
    request.start_time.FromDatetime(NOON)
    request.end_time.FromDatetime(NOON - timedelta(seconds=1))
    async with router.served() as (stub, _):
        with pytest.raises(InvalidInput, match="TIME_RANGE_INVALID"):
            await called(stub, request)


@pytest.mark.parametrize("name", REQUESTS)
async def test_a_store_that_is_away_is_told(router: Router, name: str) -> None:
    router.ledger.error = router.cache.error = UpstreamDown("STORAGE_BUSY", "Busy.", retry_after_s=1)
    async with router.served() as (stub, _):
        with pytest.raises(UpstreamDown, match="STORAGE_BUSY") as caught:
            await called(stub, REQUESTS[name])
    assert caught.value.retry_after_s == 1


async def test_limits_that_nobody_knows_are_told(router: Router) -> None:
    def unknown(*_: object) -> None:
        raise failure(Reason.LIMITS_INVALID, "limits.yaml line 3: wrong.")

    router.book.budgets_for = unknown
    async with router.served() as (stub, _):
        with pytest.raises(PreconditionFailed, match="LIMITS_INVALID"):
            await called(stub, pb.ListBudgetsRequest())


@pytest.mark.parametrize("name", REQUESTS)
async def test_each_call_needs_its_permission(router: Router, name: str) -> None:
    other = ({"usage.read", "cache.update"} - {PERMISSIONS[name]}).pop()
    async with router.served() as (_, served):
        with pytest.raises(Forbidden):
            await called(Stub(served.channel_as(principal(permissions=(other,)))), REQUESTS[name])
        await called(Stub(served.channel_as(principal(permissions=(PERMISSIONS[name],)))), REQUESTS[name])
        with pytest.raises(Unauthenticated):
            await called(Stub(served.channel_with("nxk_unknown")), REQUESTS[name])


async def test_the_caller_is_the_key_too(router: Router) -> None:
    router.book.budgets = [daily(500, Scope.KEY)]
    async with router.served() as (stub, served):
        (budget,) = (await called(stub, pb.ListBudgetsRequest())).budgets
        without_key = Stub(served.channel_as(principal("acme", "ann")))
        assert list((await called(without_key, pb.ListBudgetsRequest())).budgets) == []
    assert budget.subject == ANN.key_id
