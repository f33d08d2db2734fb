"""A tool that keeps failing is left alone; callers cannot bring that about."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from tools_fakes import ECHO, ScriptedTool, call_context

from shared.circuit_breaker import Breaker, BreakerPolicy
from shared.errors import DeadlineExceeded, InvalidInput, PreconditionFailed, QuotaExceeded, UpstreamDown
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal
from tool_executor.adapters.breaker_board_memory import MemoryBreakerBoard
from tool_executor.adapters.tool_breaking import BreakingTool
from tool_executor.adapters.tool_guarded import GuardedTool
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.tool_definition import JsonObject

TOOL = dataclasses.replace(ECHO, timeout_s=0.002)
FULL = call_context(timeout_s=0.002)
DOWN = UpstreamDown("UNREACHABLE", "The sandbox does not answer.")


class Rig:
    """A tool that ends as the test says, with guard and breaker around it."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.board = MemoryBreakerBoard(self.clock, BreakerPolicy(consecutive_failures=3, open_s=10, jitter_share=0))
        self.end: BaseException | None = None
        self.inner = ScriptedTool(self._behave, TOOL)
        self.tool = BreakingTool(GuardedTool(self.inner), self.board)

    async def _behave(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        if isinstance(self.end, TimeoutError):
            await asyncio.sleep(60)
        if self.end is not None:
            raise self.end
        return ToolOutput({"text": ""}, "")

    async def call(self, end: BaseException | None, context: CallContext = FULL, times: int = 1) -> str:
        """Return how the last of the calls ended."""
        self.end = end
        said = ""
        for _ in range(times):
            try:
                await self.tool.run({}, context)
                said = "ok"
            except ToolFailure as failure:
                said = failure.reason
            except (UpstreamDown, QuotaExceeded) as error:
                said = error.reason
        return said

    def state(self, org_id: str = "org-a") -> Breaker:
        return self.board.state(org_id, "echo")


@pytest.mark.parametrize(
    "error",
    [RuntimeError("a defect"), DOWN, DeadlineExceeded("DEADLINE_EXCEEDED", "Late."), TimeoutError()],
    ids=["crash", "peer away", "peer late", "hangs"],
)
async def test_failures_of_the_tools_own_making_open_it(error: BaseException) -> None:
    rig = Rig()
    await rig.call(error, times=3)
    assert rig.state() is Breaker.OPEN
    assert len(rig.inner.calls) == 3
    with pytest.raises(UpstreamDown, match="tried again in 10 s") as caught:
        await rig.tool.run({}, FULL)
    assert (caught.value.reason, caught.value.retry_after_s) == ("TOOL_BROKEN", 10)
    assert len(rig.inner.calls) == 3


@pytest.mark.parametrize(
    ("error", "context"),
    [
        (ToolFailure("CODE_FAILED", "NameError"), FULL),
        (ToolFailure("CODE_TIMEOUT", "It ran too long.", status=ToolStatus.TIMEOUT), FULL),
        (InvalidInput("X", "x"), FULL),
        (PreconditionFailed("ISOLATION_UNAVAILABLE", "Allow user namespaces."), FULL),
        (QuotaExceeded("SANDBOX_BUSY", "Busy."), FULL),
        (TimeoutError(), call_context(timeout_s=0.001)),
        (DeadlineExceeded("DEADLINE_EXCEEDED", "Late."), call_context(timeout_s=0.001)),
    ],
    ids=["program", "program's time", "arguments", "host", "busy", "caller's time", "caller's deadline"],
)
async def test_nothing_that_a_caller_does_opens_it(error: BaseException, context: CallContext) -> None:
    rig = Rig()
    await rig.call(error, context, times=30)
    assert rig.state() is Breaker.CLOSED


async def test_a_success_in_between_keeps_it_closed() -> None:
    rig = Rig()
    for _ in range(4):
        await rig.call(DOWN, times=2)
        await rig.call(None)
    assert rig.state() is Breaker.CLOSED


async def test_half_of_many_calls_open_it_too() -> None:
    rig = Rig()
    for _ in range(10):
        await rig.call(DOWN)
        await rig.call(None)
    assert rig.state() is Breaker.CLOSED
    await rig.call(DOWN)
    assert rig.state() is Breaker.OPEN


async def test_one_trial_decides_and_a_failed_one_doubles_the_time() -> None:
    rig = Rig()
    await rig.call(DOWN, times=3)
    rig.clock.advance(10)
    assert rig.state() is Breaker.HALF_OPEN
    assert await rig.call(DOWN) == "UNREACHABLE"
    rig.clock.advance(19)
    assert await rig.call(None) == "TOOL_BROKEN"
    rig.clock.advance(1)
    assert await rig.call(None) == "ok"
    assert rig.state() is Breaker.CLOSED
    assert await rig.call(DOWN, times=2) == "UNREACHABLE"
    assert rig.state() is Breaker.CLOSED


async def test_only_one_trial_runs_and_one_that_says_nothing_is_followed_by_another() -> None:
    rig = Rig()
    await rig.call(DOWN, times=3)
    rig.clock.advance(10)
    rig.end = TimeoutError()
    trial = asyncio.create_task(rig.tool.run({}, call_context(timeout_s=30)))
    await asyncio.sleep(0)
    with pytest.raises(UpstreamDown, match="tried again in 1 s"):
        await rig.tool.run({}, FULL)
    trial.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trial
    assert await rig.call(InvalidInput("X", "x")) == "X"
    assert rig.state() is Breaker.HALF_OPEN
    assert await rig.call(None) == "ok"
    assert rig.state() is Breaker.CLOSED


async def test_what_one_organisation_breaks_is_not_broken_for_others() -> None:
    rig = Rig()
    await rig.call(DOWN, times=3)
    other = call_context(principal=principal(org_id="org-b"), timeout_s=0.002)
    assert (rig.state("org-a"), rig.state("org-b")) == (Breaker.OPEN, Breaker.CLOSED)
    assert await rig.call(None, other) == "ok"
