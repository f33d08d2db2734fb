"""The acceptance questions, as a person asks them with `nexus ask` and as a program does over gRPC."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import pytest

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.dashboard.v1 import dashboard_pb2, dashboard_pb2_grpc
from shared.testing.agent_client import AgentClient
from shared.testing.running_mesh import RunningMesh

CALENDAR = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//nexus//test//EN
BEGIN:VEVENT
UID:inspection@test
DTSTAMP:20260101T000000Z
DTSTART:{start}
DURATION:PT1H
SUMMARY:Zeppelin inspection
END:VEVENT
END:VCALENDAR
"""


def text_of(events: list[dict]) -> str:
    return json.dumps(events, ensure_ascii=False)


async def test_arithmetic_is_answered_by_the_calculator(mesh: RunningMesh) -> None:
    async with AgentClient(mesh) as agent:
        events = await agent.stream("What is 23*17 + sqrt(144)?")
    finished = [heard.event.tool_call_finished for heard in events if heard.kind == "tool_call_finished"]
    assert [(call.tool, call.ok) for call in finished] == [("calculator", True)]
    assert "403" in finished[0].output_json
    assert events[-1].kind == "run_finished"
    assert "403" in events[-1].event.run_finished.answer
    assert [heard.event.sequence for heard in events] == list(range(1, len(events) + 1))


def test_the_cli_prints_the_answer_and_the_tool_for_people(mesh: RunningMesh) -> None:
    done = mesh.cli("ask", "What is 23*17 + sqrt(144)?")
    assert done.returncode == 0, done.stderr
    assert "403" in done.stdout
    assert "calculator" in done.stdout + done.stderr


def test_the_cli_prints_events_as_json_lines(mesh: RunningMesh) -> None:
    done = mesh.cli("ask", "What is 23*17 + sqrt(144)?", "--json")
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(events) >= 4
    assert "calculator" in text_of(events)
    assert "403" in text_of(events[-1:])


async def test_fenced_python_runs_in_the_sandbox(mesh: RunningMesh) -> None:
    code = "import os, sys\nprint('sum', sum(range(101)), len(os.listdir('/proc/self/fd')) > 0)"
    async with AgentClient(mesh) as agent:
        run = await agent.query(f"Please run this:\n```python\n{code}\n```")
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    assert [(call.tool, call.ok) for call in run.tool_calls] == [("execute_code", True)]
    assert "sum 5050 True" in run.answer


async def test_an_imported_calendar_answers_for_tomorrow(mesh: RunningMesh, tmp_path: Path) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    file = tmp_path / "work.ics"
    file.write_text(CALENDAR.format(start=tomorrow.strftime("%Y%m%dT100000Z")), newline="\r\n")
    imported = mesh.cli("calendar", "import", str(file))
    assert imported.returncode == 0, imported.stderr
    async with AgentClient(mesh) as agent:
        run = await agent.query("what is on my calendar tomorrow?")
    assert run.status == agent_pb2.RUN_STATUS_COMPLETED, run.failure
    assert [(call.tool, call.ok) for call in run.tool_calls] == [("get_user_context", True)]
    assert "Zeppelin inspection" in run.answer


async def test_an_unreadable_calendar_is_refused_and_changes_nothing(mesh: RunningMesh, tmp_path: Path) -> None:
    file = tmp_path / "broken.ics"
    file.write_bytes(b"\x00\x01 this is no calendar")
    channel = mesh.channel("dashboard")
    stub = dashboard_pb2_grpc.DashboardServiceStub(channel)
    request = dashboard_pb2.ImportCalendarRequest(name="broken", ics=file.read_bytes())
    try:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await stub.ImportCalendar(request, timeout=10)
    finally:
        await channel.close()
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_small_talk_is_answered_by_the_local_model_with_its_notice(mesh: RunningMesh) -> None:
    async with AgentClient(mesh) as agent:
        events = await agent.stream("Hello, how are you?")
    assert events[-1].kind == "run_finished", events[-1]
    assert events[-1].event.run_finished.answer.strip()
    assert [heard for heard in events if heard.kind.startswith("tool_call")] == []
    warnings = [heard.event.warning for heard in events if heard.kind == "warning"]
    assert "OFFLINE_MODEL" in [warning.code for warning in warnings]
    assert any("demonstration" in warning.message.lower() for warning in warnings)


async def test_the_next_question_of_a_conversation_sees_the_first(mesh: RunningMesh) -> None:
    async with AgentClient(mesh) as agent:
        first = await agent.query("What is 2+3?")
        second = await agent.query("What is 4+5?", conversation_id=first.conversation_id)
    assert second.conversation_id == first.conversation_id
    listed = mesh.cli_json("runs", "list")
    assert first.run_id in text_of(listed)
    assert second.run_id in text_of(mesh.cli_json("runs", "show", second.run_id))
