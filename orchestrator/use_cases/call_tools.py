"""Call the tools that a turn asks for: at the same time, each with its own deadline."""

from __future__ import annotations

import asyncio

from orchestrator.domain.agent_state import AgentState, CallData, ResultData, TurnData, open_calls
from orchestrator.domain.errors import limit_tool_calls
from orchestrator.domain.events import ToolCallFinished, ToolCallStarted
from orchestrator.domain.json_arguments import json_object_in
from orchestrator.domain.tools import ToolOutcome, told_artifacts
from orchestrator.ports.tool_catalog import ToolCatalog
from orchestrator.ports.tool_runner import ToolRequest, ToolRunner
from orchestrator.use_cases.run_work import RunWork
from shared.errors import NexusError

MOST_AROUND_S = 15.0
"""What a call may take besides the tool's own time."""
DEFAULT_TIMEOUT_S = 30.0


class CallTools:
    """The node that makes tool calls. A call that an earlier attempt finished is taken from the log instead."""

    def __init__(self, catalog: ToolCatalog, runner: ToolRunner) -> None:
        self._catalog = catalog
        self._runner = runner

    async def __call__(self, work: RunWork, state: AgentState) -> AgentState:
        """Make the open calls and return their results, in the order of the calls.

        What a tool says, an error included, goes back to the model as data.

        Raises:
            RunFailure: LIMIT_TOOL_CALLS.
            LogUnwritable: when the event log cannot be written.
        """
        calls = open_calls(state)
        made = state.get("tool_calls", 0) + len(calls)
        if made > work.run.limits.max_tool_calls:
            raise limit_tool_calls(work.run.limits.max_tool_calls)
        timeouts = {tool.name: tool.timeout_s for tool in await self._catalog.tools(work.origin)}
        step = state.get("steps", 0)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(
                    self._one(work, call, f"{work.run.run_id}:{step}:{call['id']}", timeouts.get(call["tool"]))
                )
                for call in calls
            ]
        await work.events.flush()
        turns = state.get("turns", [])
        answered = TurnData(text=turns[-1]["text"], calls=calls, results=[task.result() for task in tasks])
        return AgentState(turns=[*turns[:-1], answered], tool_calls=made)

    async def _one(self, work: RunWork, call: CallData, request_id: str, tool_timeout_s: float | None) -> ResultData:
        arguments = json_object_in(call["arguments"])
        done = work.finished_calls.get(call["id"])
        if done is not None and (done.tool, done.arguments_json) == (call["tool"], arguments or "{}"):
            return _result(done)
        work.events.note(ToolCallStarted(call["id"], call["tool"], arguments or "{}"))
        began_s = work.clock.monotonic()
        if arguments is None:
            outcome = ToolOutcome(
                ok=False,
                output_json="",
                summary="The arguments are not a JSON object. Write one that follows the tool's schema.",
                error_reason="ARGUMENTS_NOT_JSON",
            )
        else:
            left_s = work.remaining_s()
            timeout_s = min(tool_timeout_s or DEFAULT_TIMEOUT_S, left_s)
            request = ToolRequest(call["tool"], arguments, request_id, timeout_s, work.config.time_zone, work.origin)
            outcome = await self._outcome(request, min(timeout_s + MOST_AROUND_S, left_s))
        took_ms = round((work.clock.monotonic() - began_s) * 1000)
        finished = ToolCallFinished(
            tool_call_id=call["id"],
            tool=call["tool"],
            arguments_json=arguments or "{}",
            ok=outcome.ok,
            output_json=outcome.output_json if outcome.ok else "",
            summary=outcome.summary,
            duration_ms=outcome.duration_ms or took_ms,
            artifacts=outcome.artifacts,
        )
        work.events.note(finished)
        return _result(finished)

    async def _outcome(self, request: ToolRequest, limit_s: float) -> ToolOutcome:
        try:
            async with asyncio.timeout(limit_s):
                return await self._runner.run(request)
        except TimeoutError:
            return ToolOutcome(
                ok=False,
                output_json="",
                summary=f"{request.tool} did not answer within {limit_s:.0f} seconds.",
                error_reason="TOOL_TIMEOUT",
            )
        except NexusError as error:
            return ToolOutcome(ok=False, output_json="", summary=error.message, error_reason=error.reason)


def _result(done: ToolCallFinished) -> ResultData:
    return ResultData(
        id=done.tool_call_id,
        tool=done.tool,
        ok=done.ok,
        output=done.output_json,
        summary=done.summary,
        artifacts=told_artifacts(done.artifacts),
    )
