"""What stands around every tool: schemas, limits, guard, metrics."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest
from prometheus_client import REGISTRY
from tools_fakes import ECHO, ScriptedTool, call_context

from shared.errors import (
    DeadlineExceeded,
    Internal,
    InvalidInput,
    NexusError,
    PreconditionFailed,
    QuotaExceeded,
    UpstreamDown,
)
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal
from tool_executor.adapters.schema_words import complaints, validator_of
from tool_executor.adapters.tool_bounded import BoundedTool, Places
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_guarded import GuardedTool
from tool_executor.adapters.tool_metered import MeteredTool
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.tool_definition import JsonObject
from tool_executor.domain.tool_source import BUILTIN, SourceId


def raising(error: BaseException) -> ScriptedTool:
    async def fail(arguments: JsonObject, call: CallContext) -> ToolOutput:
        raise error

    return ScriptedTool(fail)


def giving(value: JsonObject) -> ScriptedTool:
    async def give(arguments: JsonObject, call: CallContext) -> ToolOutput:
        return ToolOutput(value, "given")

    return ScriptedTool(give)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "arguments: 'text' must be given"),
        ({"text": 3}, "text: must be of type string, not a number"),
        ({"text": None}, "text: must be of type string, not null"),
        ({"text": "a", "txet": 1}, "arguments: unknown 'txet'; known: 'text', 'mood', 'tags'"),
        ({"text": "a", "mood": "sad"}, "mood: must be one of 'calm', 'loud'"),
        ({"text": "a", "tags": ["x", 3]}, "tags[1]: must be of type string, not a number"),
        ({"text": "x" * 100_001}, "text: is too long, the limit is 100000"),
    ],
)
async def test_arguments_that_do_not_fit_name_the_field(arguments: JsonObject, told: str) -> None:
    tool = ScriptedTool()
    with pytest.raises(ToolFailure) as caught:
        await CheckedTool(tool).run(arguments, call_context())
    assert caught.value.status is ToolStatus.INVALID_ARGUMENTS
    assert caught.value.reason == "ARGUMENTS_INVALID"
    assert told in caught.value.summary
    assert len(caught.value.summary) < 600
    assert tool.calls == []


async def test_many_errors_are_counted() -> None:
    with pytest.raises(ToolFailure, match=r"; and more\."):
        await CheckedTool(ScriptedTool()).run({"text": "a", "tags": list(range(9))}, call_context())


def test_what_is_too_long_is_told_and_not_looked_into() -> None:
    schema: JsonObject = {
        "type": "object",
        "properties": {
            "tags": {"items": {"type": "object"}, "maxItems": 16},
            "headers": {"additionalProperties": {"type": "string"}, "maxProperties": 32},
        },
    }
    checker = validator_of(schema)
    assert complaints(checker, {"tags": [1] * 17}) == ["tags: is too long, the limit is 16"]
    assert complaints(checker, {"headers": dict.fromkeys(map(str, range(33)))}) == [
        "headers: is too long, the limit is 32"
    ]
    assert complaints(checker, {"tags": [1]}) == ["tags[0]: must be of type object, not a number"]


async def test_no_more_than_some_unknown_names_are_told() -> None:
    with pytest.raises(ToolFailure, match=r"unknown 'u0', 'u1', 'u2', 'u3', 'u4' and more; known: 'text'"):
        await CheckedTool(ScriptedTool()).run({"text": "a"} | {f"u{n}": n for n in range(40)}, call_context())


@pytest.mark.parametrize("value", [{}, {"text": 1}, {"text": "a", "x": float("nan")}, {"text": "a", "x": object()}])
async def test_output_that_does_not_fit_is_a_defect_of_the_tool(value: JsonObject) -> None:
    with pytest.raises(ToolFailure) as caught:
        await CheckedTool(giving(value)).run({"text": "a"}, call_context())
    assert (caught.value.status, caught.value.reason) == (ToolStatus.ERROR, "TOOL_OUTPUT_INVALID")


@pytest.mark.parametrize("schema", [{"type": "objekt"}, {"type": "array"}, {"type": "object", "properties": 3}])
@pytest.mark.parametrize("which", ["input_schema", "output_schema"])
def test_a_wrong_schema_stops_the_start(which: str, schema: JsonObject) -> None:
    definition = dataclasses.replace(ECHO, **{which: schema})  # type: ignore[arg-type]
    with pytest.raises(PreconditionFailed, match=which):
        CheckedTool(ScriptedTool(definition=definition))


async def test_too_many_calls_at_once_are_refused_and_room_comes_back() -> None:
    go = asyncio.Event()

    async def wait(arguments: JsonObject, call: CallContext) -> ToolOutput:
        await go.wait()
        return ToolOutput({"text": ""}, "")

    tool = BoundedTool(ScriptedTool(wait), SourceId("mcp:own", "org-a"), Places())
    running = [asyncio.create_task(tool.run({"text": ""}, call_context())) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(QuotaExceeded) as caught:
        await tool.run({"text": ""}, call_context())
    assert caught.value.reason == "TOOL_BUSY"
    assert caught.value.retry_after_s
    running.pop().cancel()
    await asyncio.sleep(0)
    go.set()
    await tool.run({"text": ""}, call_context())
    await asyncio.gather(*running)


@pytest.mark.parametrize(("most", "share"), [(1, 1), (2, 1), (4, 3), (16, 12)])
async def test_no_organisation_takes_every_place_of_a_tool_that_all_share(most: int, share: int) -> None:
    go, places = asyncio.Event(), Places()

    async def wait(arguments: JsonObject, call: CallContext) -> ToolOutput:
        await go.wait()
        return ToolOutput({"text": ""}, "")

    inner = ScriptedTool(wait, dataclasses.replace(ECHO, max_concurrency=most))
    # Made anew, as by a reload, for each call: places are no matter of the object.
    storm = [asyncio.create_task(BoundedTool(inner, BUILTIN, places).run({}, call_context())) for _ in range(50)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    other = call_context(principal=principal(org_id="org-b"))
    guest = asyncio.create_task(BoundedTool(inner, BUILTIN, places).run({}, other))
    await asyncio.sleep(0)
    go.set()
    ended = await asyncio.gather(*storm, return_exceptions=True)
    assert sum(isinstance(each, ToolOutput) for each in ended) == share
    assert {each.reason for each in ended if isinstance(each, QuotaExceeded)} == {"TOOL_BUSY"}
    if most > share:
        assert isinstance(await guest, ToolOutput)
    else:
        with pytest.raises(QuotaExceeded):
            await guest
    assert places.running(BUILTIN, "echo", "org-a") == (0, 0)


async def test_a_tool_is_stopped_at_its_time_limit() -> None:
    ended: list[str] = []

    async def sleep(arguments: JsonObject, call: CallContext) -> ToolOutput:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("yes")
        raise AssertionError

    with pytest.raises(ToolFailure, match=r"within 0\.01 s") as caught:
        await GuardedTool(ScriptedTool(sleep)).run({}, call_context(timeout_s=0.01))
    assert (caught.value.status, caught.value.reason) == (ToolStatus.TIMEOUT, "TOOL_TIMEOUT")
    assert ended == ["yes"]


async def test_a_caller_who_leaves_stops_the_tool() -> None:
    ended = asyncio.Event()

    async def sleep(arguments: JsonObject, call: CallContext) -> ToolOutput:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()
        raise AssertionError

    call = asyncio.create_task(GuardedTool(ScriptedTool(sleep)).run({}, call_context()))
    await asyncio.sleep(0.001)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended.is_set()


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("password=hunter2 in /srv/secret.py"),
        TimeoutError("password=hunter2 /srv/secret.py"),
        Internal("INTERNAL", "password=hunter2 /srv/secret.py"),
        asyncio.CancelledError(),
    ],
    ids=["error", "timeout", "internal", "cancelled"],
)
async def test_a_crash_says_nothing_of_the_inside(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ToolFailure) as caught:
        await GuardedTool(raising(error)).run({}, call_context())
    assert (caught.value.status, caught.value.reason) == (ToolStatus.ERROR, "TOOL_CRASHED")
    assert "hunter2" not in caught.value.summary
    assert "secret.py" not in caught.value.summary
    assert "tool_crashed" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (UpstreamDown("UNREACHABLE", "The sandbox does not answer."), ToolStatus.ERROR),
        (PreconditionFailed("ISOLATION_UNAVAILABLE", "Allow user namespaces."), ToolStatus.ERROR),
        (InvalidInput("CODE_EMPTY", "There is no code."), ToolStatus.INVALID_ARGUMENTS),
        (DeadlineExceeded("DEADLINE_EXCEEDED", "Too late."), ToolStatus.TIMEOUT),
        (ToolFailure("ITS_OWN", "It says so."), ToolStatus.ERROR),
    ],
)
async def test_errors_of_services_are_outcomes(error: NexusError | ToolFailure, status: ToolStatus) -> None:
    with pytest.raises(ToolFailure) as caught:
        await GuardedTool(raising(error)).run({}, call_context())
    assert (caught.value.status, caught.value.reason) == (status, error.reason)
    assert caught.value.summary == (error.message if isinstance(error, NexusError) else error.summary)


async def test_calls_are_counted_by_how_they_end() -> None:
    def count(status: str) -> float:
        labels = {"tool": "metered_echo", "status": status}
        return REGISTRY.get_sample_value("nexus_tool_calls_total", labels) or 0.0

    definition = dataclasses.replace(ECHO, name="metered_echo")
    answers: list[BaseException | None] = [
        None,
        ToolFailure("X", "x"),
        ToolFailure("X", "x", status=ToolStatus.TIMEOUT),
        QuotaExceeded("TOOL_BUSY", "Busy."),
    ]
    clock = FakeClock()

    async def next_one(arguments: JsonObject, call: CallContext) -> ToolOutput:
        clock.advance(2)
        answer = answers.pop(0)
        if answer is not None:
            raise answer
        return ToolOutput({"text": ""}, "")

    tool = MeteredTool(ScriptedTool(next_one, definition), clock)
    await tool.run({}, call_context())
    for _ in range(3):
        with pytest.raises((ToolFailure, QuotaExceeded)):
            await tool.run({}, call_context())
    assert [count(status) for status in ("ok", "error", "timeout", "refused", "invalid_arguments")] == [1, 1, 1, 1, 0]
    seconds = REGISTRY.get_sample_value("nexus_tool_call_duration_seconds_sum", {"tool": "metered_echo"})
    assert seconds == 8
