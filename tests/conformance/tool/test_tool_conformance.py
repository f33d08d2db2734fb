"""One suite for every built-in tool: what it says of itself is true, and what it gives fits."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
from artifact_fakes import SHELVED, MemoryArtifactStore, shelf
from knowledge_fakes import MemoryKnowledgeStore
from tools_fakes import (
    FakeCodeRunner,
    FakeContextSource,
    FakeEmbedder,
    FakeSolver,
    FakeWorkspaces,
    call_context,
    code_running,
)
from tools_web_fakes import FakePageReader, FakeSearchEngine, FakeWebClient, FakeWebGate

from shared.errors import PreconditionFailed
from shared.testing.fakes import FakeClock
from tool_executor.adapters.tool_calculator import CalculatorTool
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_current_time import CurrentTimeTool
from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.adapters.tool_execute_code import ExecuteCodeTool
from tool_executor.adapters.tool_guarded import GuardedTool
from tool_executor.adapters.tool_http_request import HttpRequestTool
from tool_executor.adapters.tool_knowledge_search import KnowledgeSearchTool
from tool_executor.adapters.tool_list_files import ListFilesTool
from tool_executor.adapters.tool_load_file import LoadFileTool
from tool_executor.adapters.tool_load_web_page import LoadWebPageTool
from tool_executor.adapters.tool_read_artifact import ReadArtifactTool
from tool_executor.adapters.tool_read_file import ReadFileTool
from tool_executor.adapters.tool_save_file import SaveFileTool
from tool_executor.adapters.tool_shell import ShellTool
from tool_executor.adapters.tool_user_context import UserContextTool
from tool_executor.adapters.tool_web_search import WebSearchTool
from tool_executor.adapters.tool_write_file import WriteFileTool
from tool_executor.adapters.web.web_gate_listed import HostList
from tool_executor.domain.agenda import Agenda, AgendaEvent, AgendaSource
from tool_executor.domain.code_run import CodeRun, CodeStatus
from tool_executor.domain.host_pattern import host_patterns
from tool_executor.domain.time_window import DAYS
from tool_executor.domain.tool_call import NOWHERE, CallOrigin, ToolFailure, ToolStatus
from tool_executor.domain.tool_definition import JsonObject
from tool_executor.domain.web_search import SearchHit
from tool_executor.ports.tool import Tool
from tool_executor.use_cases.embed_knowledge import EmbedKnowledge
from tool_executor.use_cases.move_artifacts import MoveArtifacts
from tool_executor.use_cases.search_passages import SearchPassages

WORK = AgendaSource("work", stale=False, error="", demo=False)
MEETING = AgendaEvent(
    "Stand-up",
    datetime(2026, 11, 21, 8, 30, tzinfo=UTC),
    datetime(2026, 11, 21, 9, tzinfo=UTC),
    "Room 4",
    all_day=False,
    calendar="work",
    demo=False,
)
TALK = CallOrigin(conversation_id="talk-1")
WORKSPACES = FakeWorkspaces()


@pytest.fixture(autouse=True)
def _a_file_in_the_workspace() -> None:
    WORKSPACES.of.clear()
    WORKSPACES.mine(call_context(origin=TALK)).put("notes/b.txt", b"hello")


TOOLS: dict[str, tuple[Tool, JsonObject, str]] = {
    "calculator": (CalculatorTool(FakeSolver()), {"expression": "1 + 1"}, "1 + 1 = 2"),
    "execute_code": (
        ExecuteCodeTool(code_running()),
        {"language": "python", "code": "print('hello')"},
        "It printed:\nhello",
    ),
    "shell": (ShellTool(code_running()), {"command": "echo hello"}, "It printed:\nhello"),
    "write_file": (WriteFileTool(WORKSPACES), {"path": "a.txt", "text": "hello"}, "a.txt is written, 5 B."),
    "list_files": (ListFilesTool(WORKSPACES), {}, "The workspace holds notes/b.txt (5 B)."),
    "read_file": (
        ReadFileTool(WORKSPACES, output_limit_bytes=65_536),
        {"path": "notes/b.txt", "offset": 1},
        "notes/b.txt, bytes 1 to 5 of 5, which is its end:\nello",
    ),
    "save_file": (
        SaveFileTool(WORKSPACES, MoveArtifacts(MemoryArtifactStore(new_id=lambda: SHELVED))),
        {"path": "notes/b.txt"},
        f"notes/b.txt is kept as the artifact b.txt, 5 B: {SHELVED}.",
    ),
    "load_file": (
        LoadFileTool(WORKSPACES, MoveArtifacts(shelf(b"Say hello."))),
        {"artifact_id": SHELVED},
        "note.txt is in the workspace, 10 B.",
    ),
    "get_user_context": (
        UserContextTool(FakeContextSource(Agenda((MEETING,), (WORK,))), FakeClock()),
        {"day": "tomorrow"},
        "Tomorrow, Saturday 21 November 2026: 09:30–10:00 Stand-up (Room 4).",  # noqa: RUF001
    ),
    "read_artifact": (
        ReadArtifactTool(shelf(b"Say hello."), output_limit_bytes=65_536),
        {"artifact_id": SHELVED, "search": "HELLO"},
        "'HELLO' in note.txt: 1 place.\nbyte 4: Say hello.",
    ),
    "knowledge_search": (
        KnowledgeSearchTool(
            SearchPassages(MemoryKnowledgeStore(), EmbedKnowledge(FakeEmbedder())), output_limit_bytes=65_536
        ),
        {"query": "ship"},
        (
            "The organisation's knowledge is empty. Somebody with the role of an operator adds to it with "
            "`nexus knowledge put SOURCE FILE.txt`."
        ),
    ),
    "web_search": (
        WebSearchTool(FakeSearchEngine(SearchHit("A ship", "https://a.example/", "It sank.", "bing", ""))),
        {"query": "ship"},
        "1. A ship - https://a.example/",
    ),
    "load_web_page": (
        LoadWebPageTool(FakeWebClient(b"hello"), FakeWebGate(), FakePageReader(), load_s=5, max_bytes=1_000),
        {"url": "https://a.example/"},
        "A title, 5 characters.",
    ),
    "http_request": (
        HttpRequestTool(FakeWebClient(b"hello"), HostList(host_patterns(["a.example"])), max_bytes=1_000),
        {"url": "https://a.example/"},
        "GET https://a.example/ answered 200 with 5 bytes.",
    ),
    "get_current_time": (CurrentTimeTool(FakeClock()), {}, "It is 13:00 on Friday 20 November 2026 (Europe/Berlin)."),
}
NAMES = sorted(TOOLS)


@pytest.mark.parametrize("name", NAMES)
def test_a_definition_is_complete(name: str) -> None:
    definition = TOOLS[name][0].definition
    assert definition.name == name
    assert 8 <= len(definition.examples) <= 14
    assert len(set(definition.examples)) == len(definition.examples)
    assert definition.input_schema["additionalProperties"] is False
    for schema in (definition.input_schema, definition.output_schema):
        properties = schema["properties"]
        assert isinstance(properties, dict)
        assert all("description" in field for field in properties.values())


def test_no_example_belongs_to_two_tools() -> None:
    examples = [example for tool, _, _ in TOOLS.values() for example in tool.definition.examples]
    assert len(set(examples)) == len(examples)


@pytest.mark.parametrize("name", NAMES)
async def test_a_call_fits_the_schemas_and_is_told(name: str) -> None:
    tool, arguments, summary = TOOLS[name]
    call = call_context(origin=TALK if name.endswith(("_file", "_files")) else NOWHERE)
    output = await CheckedTool(GuardedTool(tool)).run(arguments, call)
    assert output.summary == summary
    assert json.loads(json.dumps(output.value)) == output.value


@pytest.mark.parametrize("name", NAMES)
async def test_unknown_arguments_are_refused(name: str) -> None:
    tool, arguments, _ = TOOLS[name]
    with pytest.raises(ToolFailure, match="unknown 'surprise'"):
        await CheckedTool(tool).run({**arguments, "surprise": 1}, call_context())


def test_a_definition_that_is_not_there_stops_the_start() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        load_definition("nothing")
    assert caught.value.reason == "TOOL_DEFINITION_INVALID"


async def test_an_expression_that_cannot_be_read_is_an_argument_to_correct() -> None:
    with pytest.raises(ToolFailure) as caught:
        await TOOLS["calculator"][0].run({"expression": "hello"}, call_context())
    assert (caught.value.status, caught.value.reason) == (ToolStatus.INVALID_ARGUMENTS, "EXPRESSION_INVALID")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (CodeStatus.ERROR, "CODE_FAILED"),
        (CodeStatus.TIMEOUT, "CODE_TIMEOUT"),
        (CodeStatus.OUT_OF_MEMORY, "CODE_OUT_OF_MEMORY"),
        (CodeStatus.OUTPUT_LIMIT, "CODE_OUTPUT_LIMIT"),
        (CodeStatus.KILLED, "CODE_KILLED"),
        (CodeStatus.POLICY, "CODE_REFUSED"),
    ],
)
async def test_a_program_that_fails_is_an_error_with_its_output(status: CodeStatus, reason: str) -> None:
    run = CodeRun(status, 1, "half\n", "Traceback\nNameError: y", 0.5)
    with pytest.raises(ToolFailure) as caught:
        await ExecuteCodeTool(code_running(FakeCodeRunner(run))).run({"code": "y"}, call_context())
    assert (caught.value.status, caught.value.reason) == (ToolStatus.ERROR, reason)
    assert caught.value.value is not None
    assert caught.value.value["stdout"] == "half\n"
    assert caught.value.summary.endswith("NameError: y")


async def test_a_program_gets_less_time_than_its_call() -> None:
    runner = FakeCodeRunner()
    tool = ExecuteCodeTool(code_running(runner))
    for timeout_s in (20.0, 5.0, 0.5):
        await tool.run({"code": "```python\nprint(1)\n```", "stdin": "in"}, call_context(timeout_s=timeout_s))
    assert [program.wall_time_s for program in runner.programs] == [10, 3, 0.2]
    assert {(program.code, program.stdin) for program in runner.programs} == {("print(1)", "in")}


async def test_the_remedy_of_a_host_that_cannot_isolate_reaches_the_model() -> None:
    refusal = PreconditionFailed("ISOLATION_UNAVAILABLE", "Set kernel.unprivileged_userns_clone=1.")
    with pytest.raises(ToolFailure, match="unprivileged_userns_clone") as caught:
        await GuardedTool(ExecuteCodeTool(code_running(FakeCodeRunner(refusal)))).run({"code": "1"}, call_context())
    assert (caught.value.status, caught.value.reason) == (ToolStatus.ERROR, "ISOLATION_UNAVAILABLE")


def test_the_schema_offers_the_days_that_are_known() -> None:
    properties = load_definition("get_user_context").input_schema["properties"]
    assert isinstance(properties, dict)
    pattern = re.compile(properties["day"]["pattern"])
    assert all(pattern.search(day) for day in (*DAYS, "2026-12-24"))
    assert not any(pattern.search(day) for day in ("Tomorrow", "someday", "24.12.2026", "today "))


async def test_the_window_is_meant_in_the_callers_zone() -> None:
    source = FakeContextSource()
    tool = UserContextTool(source, FakeClock())
    await tool.run({"day": "tomorrow"}, call_context(time_zone="America/New_York"))
    await tool.run({"start": "2026-12-24", "end": "2026-12-26"}, call_context())
    assert [(start.isoformat(), end.isoformat(), zone) for start, end, zone in source.windows] == [
        ("2026-11-21T00:00:00-05:00", "2026-11-22T00:00:00-05:00", "America/New_York"),
        ("2026-12-24T00:00:00+01:00", "2026-12-27T00:00:00+01:00", "Europe/Berlin"),
    ]


async def test_a_day_and_a_window_exclude_each_other() -> None:
    with pytest.raises(ToolFailure) as caught:
        await TOOLS["get_user_context"][0].run({"day": "today", "start": "2026-12-24"}, call_context())
    assert caught.value.reason == "WINDOW_INVALID"


async def test_when_every_calendar_fails_the_tool_fails() -> None:
    broken = AgendaSource("work", stale=True, error="the address answers 404", demo=False)
    with pytest.raises(ToolFailure, match="404") as caught:
        await UserContextTool(FakeContextSource(Agenda((), (broken,))), FakeClock()).run({}, call_context())
    assert caught.value.reason == "CALENDARS_FAILED"


async def test_many_events_are_counted_and_the_list_is_bounded() -> None:
    tool = UserContextTool(FakeContextSource(Agenda((MEETING,) * 250, (WORK,))), FakeClock())
    output = await CheckedTool(tool).run({"day": "tomorrow"}, call_context())
    events = output.value["events"]
    assert isinstance(events, list)
    assert (len(events), output.value["event_count"]) == (200, 250)


@pytest.mark.parametrize(
    ("asked", "zone", "time"),
    [
        ("Asia/Tokyo", "Asia/Tokyo", "2026-11-20T21:00:00+09:00"),
        ("tokyo", "Asia/Tokyo", "2026-11-20T21:00:00+09:00"),
        ("New York", "America/New_York", "2026-11-20T07:00:00-05:00"),
        ("europe/london", "Europe/London", "2026-11-20T12:00:00+00:00"),
        ("", "Europe/Berlin", "2026-11-20T13:00:00+01:00"),
    ],
)
async def test_a_zone_may_be_a_city(asked: str, zone: str, time: str) -> None:
    output = await TOOLS["get_current_time"][0].run({"time_zone": asked}, call_context())
    assert (output.value["time_zone"], output.value["time"], output.value["weekday"]) == (zone, time, "Friday")


async def test_a_zone_that_does_not_exist_is_an_argument_to_correct() -> None:
    with pytest.raises(ToolFailure, match="Europe/Berlin") as caught:
        await TOOLS["get_current_time"][0].run({"time_zone": "Mars"}, call_context())
    assert caught.value.status is ToolStatus.INVALID_ARGUMENTS
