"""Budgets and rate limits of the real router: real gRPC, real HTTP, a real database."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from router_service import Stub, chat, providers_file, served_router, streamed, unary

from protos.gen.nexus.router.v1 import ledger_pb2 as pb
from protos.gen.nexus.router.v1 import ledger_pb2_grpc, router_pb2
from shared.client import translated_errors
from shared.errors import NexusError, QuotaExceeded, UpstreamDown
from shared.testing.harness import Served, principal
from shared.testing.scripted_provider import (
    Action,
    Hang,
    MissingUsage,
    Reply,
    Rule,
    Script,
    ScriptedProvider,
    Status,
    Truncate,
    Usage,
)

# 1 USD for a million prompt tokens, 2 for a million generated ones: 20 + 2 * 40 = 100 millionths of a dollar.
ANSWER = Reply("Hello", usage=Usage(20, 40))
COST = 100
LIMITS = "version: 1\nbudgets:\n  - {scope: %s, period: day, usd: %s}\n"
Call = Callable[[Stub, router_pb2.ChatCompletionRequest], Awaitable[router_pb2.ChatCompletionResponse]]


def asked(conversation_id: str = "") -> router_pb2.ChatCompletionRequest:
    routing = router_pb2.RoutingOptions(conversation_id=conversation_id)
    return chat(max_output_tokens=50, routing=routing)


class Money:
    """What the ledger says."""

    def __init__(self, served: Served) -> None:
        self._stub = ledger_pb2_grpc.LedgerServiceStub(served.channel)

    async def budgets(self) -> list[tuple[str, int, int]]:
        reply = await self._stub.ListBudgets(pb.ListBudgetsRequest(), timeout=5)
        return [(b.scope, b.spent_micro_usd, b.reserved_micro_usd) for b in reply.budgets]

    async def outcomes(self) -> Counter[str]:
        reply = await self._stub.ListLedgerAttempts(pb.ListLedgerAttemptsRequest(page_size=1000), timeout=5)
        return Counter(attempt.outcome for attempt in reply.attempts)

    async def cost(self) -> int:
        reply = await self._stub.SummarizeUsage(pb.SummarizeUsageRequest(), timeout=5)
        return sum(model.cost_micro_usd for model in reply.models)


def always(action: Action) -> ScriptedProvider:
    return ScriptedProvider(script=Script(rules=[Rule(action)]))


async def outcome(call: Call, stub: Stub, request: router_pb2.ChatCompletionRequest) -> str:
    try:
        return str((await call(stub, request)).cost_micro_usd)
    except NexusError as error:
        return error.reason


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def limited(folder: Path, text: str) -> None:
    (folder / "limits.yaml").write_text(text)


@pytest.mark.parametrize("call", [unary, streamed])
async def test_a_budget_is_spent_and_then_refuses_with_what_is_short_and_until_when(folder: Path, call: Call) -> None:
    limited(folder, LIMITS % ("organisation", "0.000450"))
    async with always(ANSWER) as provider:
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        async with served_router(file) as served:
            stub, money = Stub(served.channel), Money(served)
            found = [await outcome(call, stub, asked()) for _ in range(6)]
            assert found == [str(COST)] * 4 + ["BUDGET_EXHAUSTED"] * 2
            with pytest.raises(QuotaExceeded) as caught:
                await call(stub, asked())
            assert await money.budgets() == [("organisation", 4 * COST, 0)]
            assert await money.cost() == 4 * COST
            assert await money.outcomes() == {"succeeded": 4}
        assert len(provider.requests) == 4
    error = caught.value
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    assert error.retry_after_s == pytest.approx(86400 - (datetime.now(UTC) - midnight).total_seconds(), abs=5)
    assert (error.metadata["limit_micro_usd"], error.metadata["spent_micro_usd"]) == ("450", "400")
    assert int(error.metadata["short_micro_usd"]) == int(error.metadata["needed_micro_usd"]) - 50


async def test_many_calls_at_once_never_overspend_and_leave_nothing_reserved(folder: Path) -> None:
    limited(folder, LIMITS % ("user", "0.003000"))
    async with always(ANSWER) as provider:
        provider.script(*[Status(400), Truncate(after_chunks=1), MissingUsage(), ANSWER] * 3)
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        async with served_router(file, total_timeout_s=20.0, first_token_timeout_s=10.0) as served:
            stub, money = Stub(served.channel), Money(served)
            calls = (outcome(streamed if n % 2 else unary, stub, asked()) for n in range(200))
            found = Counter(await asyncio.gather(*calls))
            assert found["BUDGET_EXHAUSTED"] > 100
            ((_, spent, reserved),) = await money.budgets()
            assert reserved == 0
            # What failed in the middle is charged at an estimate; nothing was reserved beyond the limit.
            assert 1_000 < spent <= 3_000
            assert spent == await money.cost()
            assert set(await money.outcomes()) <= {"succeeded", "failed"}


async def test_a_call_that_is_cancelled_leaves_nothing_reserved(folder: Path) -> None:
    limited(folder, LIMITS % ("organisation", 1))
    async with always(Hang("first_token")) as provider:
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        async with served_router(file, first_token_timeout_s=10.0, total_timeout_s=20.0) as served:
            stub, money = Stub(served.channel), Money(served)
            tasks = [asyncio.create_task(outcome(streamed, stub, asked())) for _ in range(20)]
            await until(lambda: len(provider.requests) == 20)
            ((_, _, reserved),) = await money.budgets()
            assert reserved > 0
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

            async def settled() -> bool:
                return await money.outcomes() == {"aborted": 20}

            await until(settled)
            ((_, _, reserved),) = await money.budgets()
            assert reserved == 0


async def test_budgets_of_keys_and_conversations_are_their_own(folder: Path) -> None:
    limited(folder, (LIMITS % ("key", "0.0002")) + "  - {scope: conversation, period: month, usd: 0.0003}\n")
    async with always(ANSWER) as provider:
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        async with served_router(file) as served:
            one, two = [Stub(served.channel_as(principal(key_id=key))) for key in ("k1", "k2")]
            service = Stub(served.channel)
            assert [await outcome(unary, one, asked()) for _ in range(2)] == ["100", "BUDGET_EXHAUSTED"]
            assert await outcome(unary, two, asked("c1")) == "100"
            # Somebody without a key, in the same conversation.
            assert [await outcome(unary, service, asked("c1")) for _ in range(2)] == ["100", "BUDGET_EXHAUSTED"]
            assert await outcome(unary, service, asked("c2")) == "100"


async def test_limits_change_within_a_second_and_a_wrong_file_changes_nothing(folder: Path) -> None:
    async with always(ANSWER) as provider:
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        async with served_router(file) as served:
            stub, money = Stub(served.channel), Money(served)
            assert await outcome(unary, stub, asked()) == "100"
            limited(folder, LIMITS % ("organisation", "0.0001"))

            async def refused() -> bool:
                return await outcome(unary, stub, asked()) == "BUDGET_EXHAUSTED"

            # What was spent before the budget was written counts.
            await until(refused)
            limited(folder, LIMITS % ("organisation", "much"))
            await asyncio.sleep(0.1)
            assert await refused()
            limited(folder, LIMITS % ("organisation", 1))

            async def allowed() -> bool:
                return not await refused()

            await until(allowed)
            assert (await money.budgets())[0][1] == await money.cost()


async def test_a_router_that_starts_with_wrong_limits_spends_nothing(folder: Path) -> None:
    limited(folder, LIMITS % ("team", 1))
    async with always(ANSWER) as provider:
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        async with served_router(file) as served:
            assert await outcome(unary, Stub(served.channel), asked()) == "LIMITS_INVALID"
            assert provider.requests == []


@pytest.mark.parametrize("shared", [True, False])
async def test_callers_are_held_to_their_rate_and_told_when_to_come_back(folder: Path, shared: bool) -> None:
    limited(folder, "version: 1\nrate_limits:\n  - {scope: user, requests_per_minute: 5}\n")
    async with always(ANSWER) as provider:
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        async with served_router(file, shared_rate_limits=shared) as served:
            stub, other = Stub(served.channel), Stub(served.channel_as(principal(user_id="user-2")))
            found = Counter(await asyncio.gather(*(outcome(unary, stub, asked()) for _ in range(20))))
            assert found == {"100": 5, "RATE_LIMITED": 15}
            with pytest.raises(QuotaExceeded) as caught:
                await unary(stub, asked())
            assert 0 < (caught.value.retry_after_s or 0) <= 12
            assert await outcome(unary, other, asked()) == "100"


async def test_two_routers_on_one_database_share_budgets_and_rates(folder: Path) -> None:
    limited(
        folder,
        (LIMITS % ("organisation", "0.001")) + "rate_limits:\n  - {scope: organisation, requests_per_minute: 150}\n",
    )
    async with always(ANSWER) as provider:
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        # 200 calls at once keep one process busy for longer than the short deadlines of other tests.
        patient = {"first_token_timeout_s": 10.0, "total_timeout_s": 20.0}
        async with served_router(file, **patient) as first, served_router(file, **patient) as second:
            stubs = [Stub(first.channel), Stub(second.channel)]
            found = Counter(await asyncio.gather(*(outcome(unary, stubs[n % 2], asked()) for n in range(200))))
            # The bucket refills while they are made: 2.5 a second.
            assert found["RATE_LIMITED"] >= 200 - 150 - 15
            assert found["100"] + found["BUDGET_EXHAUSTED"] + found["RATE_LIMITED"] == 200
            budgets = [await Money(served).budgets() for served in (first, second)]
            assert budgets[0] == budgets[1] == [("organisation", found["100"] * COST, 0)]
            # How many fit depends on how many hold their reservations at once.
            assert 1 <= found["100"] <= 10


async def test_a_database_that_is_locked_refuses_before_the_provider_is_called(folder: Path) -> None:
    async with always(ANSWER) as provider:
        file = providers_file(folder, p0=("openai_compatible", provider.base_url))
        async with served_router(file) as served:
            stub = Stub(served.channel)
            assert await outcome(unary, stub, asked()) == "100"
            other = sqlite3.connect(folder / "data" / "db" / "router.sqlite", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            with pytest.raises(UpstreamDown, match="STORAGE_BUSY"):
                async with translated_errors("router"):
                    await stub.ChatCompletion(asked(), timeout=10)
            assert time.monotonic() - began < 8
            other.execute("ROLLBACK")
            other.close()
            assert await outcome(unary, stub, asked()) == "100"
        assert len(provider.requests) == 2


async def until(condition: Callable[[], object], within_s: float = 5) -> None:
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
