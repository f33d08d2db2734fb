"""Running, listing and finding tools, over fakes."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

import pytest
from artifact_fakes import MemoryArtifactStore
from tools_fakes import ECHO, FakeCallQuota, FakeToolPolicy, ScriptedTool, authorizing

from shared.circuit_breaker import BreakerPolicy
from shared.errors import AlreadyExists, InvalidInput, NotFound, PreconditionFailed, UpstreamDown
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal
from tool_executor.adapters.breaker_board_memory import MemoryBreakerBoard
from tool_executor.adapters.call_memory_in_process import InProcessCallMemory
from tool_executor.adapters.tool_registry_memory import MemoryToolRegistry
from tool_executor.domain.artifact import Artifact
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolResult, ToolStatus
from tool_executor.domain.tool_decision import PolicyQuestion, ToolDecision
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.call_memory import CallMemories
from tool_executor.use_cases.bound_result import BoundResult
from tool_executor.use_cases.describe_tools import DescribeTools
from tool_executor.use_cases.execute_tool import ExecuteTool, ToolCall
from tool_executor.use_cases.get_tool import GetTool
from tool_executor.use_cases.list_tools import ListTools

OWNER = principal()


class Bench:
    """A use case over fakes."""

    def __init__(self, tool: ScriptedTool | None = None, store: MemoryArtifactStore | None = None) -> None:
        self.clock = FakeClock()
        self.tool = tool or ScriptedTool()
        self.policy = FakeToolPolicy()
        self.memory = InProcessCallMemory(self.clock, ttl_s=600, max_entries=100, max_chars=1_000_000)
        self.execute = ExecuteTool(
            MemoryToolRegistry([self.tool]),
            authorizing(self.policy),
            CallMemories(self.memory, self.memory),
            self.clock,
            BoundResult(store or MemoryArtifactStore(), output_limit_bytes=1_024),
        )

    async def run(self, text: str = '{"text": "hi"}', who: object = OWNER, **changes: object) -> ToolResult:
        call = ToolCall("echo", text, request_id="", timeout_s=None, time_zone="Europe/Berlin")
        return await self.execute(who, dataclasses.replace(call, **changes))  # type: ignore[arg-type]


async def test_a_call_gives_output_summary_and_time() -> None:
    async def slowly(arguments: JsonObject, call: CallContext) -> ToolOutput:
        bench.clock.advance(1.5)
        return ToolOutput({"text": "hi"}, "It says hi.")

    bench = Bench(ScriptedTool(slowly))
    assert await bench.run() == ToolResult(
        ToolStatus.OK, '{"text":"hi"}', "It says hi.", "", truncated=False, duration_s=1.5
    )


async def test_the_time_that_is_told_covers_the_cutting_and_keeping() -> None:
    class Slow(MemoryArtifactStore):
        async def put(self, *given: Any, **more: Any) -> Artifact:
            bench.clock.advance(2)
            return await super().put(*given, **more)

    bench = Bench(store=Slow())
    result = await bench.run(json.dumps({"text": "x" * 5_000}))
    assert (result.truncated, result.duration_s) == (True, 2)


async def test_the_tool_gets_arguments_and_context() -> None:
    bench = Bench()
    await bench.run(request_id="r1", timeout_s=0.1)
    await bench.run(timeout_s=99.0, time_zone="")
    (arguments, first), (_, second) = bench.tool.calls
    assert arguments == {"text": "hi"}
    assert first == CallContext(OWNER, "Europe/Berlin", 0.1, "r1")
    assert second == CallContext(OWNER, "UTC", ECHO.timeout_s, "")


async def test_malformed_arguments_are_a_result() -> None:
    bench = Bench()
    result = await bench.run("[1]")
    assert (result.status, result.error_reason) == (ToolStatus.INVALID_ARGUMENTS, "ARGUMENTS_MALFORMED")
    assert bench.tool.calls == []


async def test_a_failure_is_a_result_with_what_there_is() -> None:
    async def fail(arguments: JsonObject, call: CallContext) -> ToolOutput:
        raise ToolFailure("CODE_FAILED", "It failed.", value={"text": "x" * 5_000})

    result = await Bench(ScriptedTool(fail)).run()
    assert (result.status, result.error_reason) == (ToolStatus.ERROR, "CODE_FAILED")
    assert result.summary.startswith("It failed.")
    assert result.truncated
    assert json.loads(result.output_json)["text"].startswith("xxx")


async def test_long_output_and_summary_are_cut() -> None:
    async def long(arguments: JsonObject, call: CallContext) -> ToolOutput:
        return ToolOutput({"text": "short"}, "y" * 10_000)

    result = await Bench(ScriptedTool(long)).run()
    assert result.truncated
    assert len(result.summary) < 8_100
    assert result.output_json == '{"text":"short"}'


async def test_an_unknown_tool_names_its_neighbours() -> None:
    with pytest.raises(NotFound, match="Nearest: echo") as caught:
        await Bench().run(name="ecko")
    assert caught.value.reason == "TOOL_UNKNOWN"


async def test_a_disabled_tool_is_refused_even_with_malformed_arguments() -> None:
    bench = Bench()
    bench.policy.disabled["org-a"] = frozenset({"echo"})
    for text in ('{"text": "hi"}', "[1]"):
        with pytest.raises(PreconditionFailed, match="nexus tools enable echo") as caught:
            await bench.run(text)
        assert caught.value.reason == "TOOL_DISABLED"
    assert bench.tool.calls == []
    assert (await bench.run(who=principal(org_id="org-b"))).status is ToolStatus.OK


async def test_an_unknown_policy_refuses() -> None:
    bench = Bench()
    bench.policy.error = UpstreamDown("TOOL_POLICY_UNKNOWN", "No answer.")
    with pytest.raises(UpstreamDown):
        await bench.run()
    assert bench.tool.calls == []


async def test_an_unknown_time_zone_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidInput) as caught:
        await Bench().run(time_zone="Mars/X")
    assert caught.value.reason == "TIME_ZONE_UNKNOWN"
    assert caught.value.violations[0].field == "time_zone"


async def test_the_same_request_runs_once() -> None:
    bench = Bench()
    first = await bench.run(request_id="r1")
    again = await bench.run('{ "text":"hi" }', request_id="r1")
    assert again is first
    assert len(bench.tool.calls) == 1
    bench.policy.disabled["org-a"] = frozenset({"echo"})
    assert await bench.run(request_id="r1") is first


async def test_a_request_id_belongs_to_an_organisation() -> None:
    bench = Bench()
    await asyncio.gather(bench.run(request_id="r1"), bench.run(who=principal(org_id="org-b"), request_id="r1"))
    assert len(bench.tool.calls) == 2


@pytest.mark.parametrize(
    "changes",
    [{"text": '{"text": "other"}'}, {"time_zone": "UTC"}, {"who": principal(user_id="user-2")}, {"text": "not json"}],
    ids=["arguments", "zone", "user", "malformed"],
)
async def test_a_request_id_for_another_call_is_refused(changes: dict[str, object]) -> None:
    bench = Bench()
    await bench.run(request_id="r1")
    with pytest.raises(AlreadyExists) as caught:
        await bench.run(request_id="r1", **changes)  # type: ignore[arg-type]
    assert caught.value.reason == "REQUEST_ID_REUSED"


def describing(policy: FakeToolPolicy) -> DescribeTools:
    return DescribeTools(policy, FakeCallQuota(), MemoryBreakerBoard(FakeClock(), BreakerPolicy()))


def _many(count: int) -> MemoryToolRegistry:
    return MemoryToolRegistry(
        ScriptedTool(definition=dataclasses.replace(ECHO, name=f"tool_{number:02}"))
        for number in reversed(range(count))
    )


async def test_pages_hold_every_tool_once() -> None:
    policy = FakeToolPolicy()
    policy.disabled["org-a"] = frozenset({"tool_03"})
    listed = ListTools(_many(7), describing(policy))
    names: list[str] = []
    after: str | None = ""
    while after is not None:
        page = await listed(PolicyQuestion(OWNER), enabled_only=False, after=after, page_size=3)
        names += [tool.definition.name for tool in page.tools]
        assert {t.definition.name for t in page.tools if not t.decision.enabled} <= {"tool_03"}
        after = page.next_after
    assert names == [f"tool_{number:02}" for number in range(7)]
    enabled = await listed(PolicyQuestion(OWNER), enabled_only=True, after="", page_size=6)
    assert [tool.definition.name for tool in enabled.tools] == [name for name in names if name != "tool_03"]
    assert enabled.next_after is None


async def test_a_page_of_many_tools_is_decided_by_few_and_keeps_nobody_waiting() -> None:
    asked: list[int] = []
    turns: list[int] = []

    class Counting(FakeToolPolicy):
        async def decisions(self, question: PolicyQuestion, tools: Sequence[ToolDefinition]) -> list[ToolDecision]:
            asked.append(len(tools))
            return await super().decisions(question, tools)

    async def others() -> None:
        while True:
            turns.append(len(asked))
            await asyncio.sleep(0)

    waiting = asyncio.create_task(others())
    page = await ListTools(_many(400), describing(Counting()))(
        PolicyQuestion(OWNER), enabled_only=True, after="", page_size=210
    )
    waiting.cancel()
    assert (len(page.tools), page.next_after) == (210, page.tools[-1].definition.name)
    assert (max(asked), len(asked)) == (50, 5)
    assert {1, 2, 3, 4} <= set(turns)


async def test_one_tool_shows_its_state() -> None:
    policy = FakeToolPolicy()
    shown = GetTool(_many(2), describing(policy))
    assert (await shown(PolicyQuestion(OWNER), "tool_01")).decision.enabled
    policy.disabled["org-a"] = frozenset({"tool_01"})
    assert not (await shown(PolicyQuestion(OWNER), "tool_01")).decision.enabled
    with pytest.raises(NotFound):
        await shown(PolicyQuestion(OWNER), "nothing_alike_at_all")


@pytest.mark.parametrize("supported", [True, False])
async def test_a_dry_run_needs_a_tool_that_has_one(*, supported: bool) -> None:
    bench = Bench(ScriptedTool(definition=dataclasses.replace(ECHO, supports_dry_run=supported)))
    if supported:
        assert (await bench.run(dry_run=True)).status is ToolStatus.OK
        assert bench.tool.calls[0][1].dry_run
    else:
        with pytest.raises(PreconditionFailed) as caught:
            await bench.run(dry_run=True)
        assert caught.value.reason == "DRY_RUN_UNSUPPORTED"
        assert bench.tool.calls == []


async def test_a_dry_run_does_not_use_up_the_request_id() -> None:
    bench = Bench(ScriptedTool(definition=dataclasses.replace(ECHO, supports_dry_run=True)))
    await bench.run(request_id="r1", dry_run=True)
    await bench.run(request_id="r1")
    await bench.run(request_id="r1")
    assert [context.dry_run for _, context in bench.tool.calls] == [True, False]
