"""Making the choice of tools ready, with peers that are not there yet."""

from __future__ import annotations

import asyncio

import pytest
from orchestrator_fakes import CALCULATOR, NATIVE, OFFLINE, FakePeers

from orchestrator.domain.tools import Tool
from orchestrator.ports.tool_strategy import Plan, PlanRequest
from orchestrator.use_cases.warm_up import WarmUp
from shared.errors import UpstreamDown


class Strategy:
    """`ToolStrategy` that cannot be warmed the first `failures` times."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.warmed: list[tuple[Tool, ...]] = []

    async def warm(self, tools: tuple[Tool, ...]) -> None:
        if self.failures:
            self.failures -= 1
            raise UpstreamDown("UNREACHABLE", "The router service does not answer.")
        self.warmed.append(tools)

    async def plan(self, request: PlanRequest) -> Plan:
        raise AssertionError(request)


async def test_it_is_tried_until_it_works_and_then_no_more() -> None:
    peers, strategy = FakePeers(known_models=(OFFLINE,), known_tools=(CALCULATOR,)), Strategy(failures=3)
    async with asyncio.timeout(5):
        await WarmUp(peers, peers, strategy, first_pause_s=0.001).keep_trying()
    assert strategy.warmed == [(CALCULATOR,)]


@pytest.mark.parametrize(("models", "times"), [((NATIVE,), 0), ((NATIVE, OFFLINE), 1), ((), 0)])
async def test_only_a_model_without_tool_calling_needs_it(models, times) -> None:
    peers, strategy = FakePeers(known_models=models), Strategy()
    await WarmUp(peers, peers, strategy)()
    assert len(strategy.warmed) == times


async def test_it_can_be_stopped_while_it_waits() -> None:
    task = asyncio.create_task(WarmUp(FakePeers(), FakePeers(), Strategy(), first_pause_s=60).keep_trying())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
