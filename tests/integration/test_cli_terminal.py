"""What a person sees on a terminal of 80 columns: both streams in their order, folded between words, told once."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from protos.gen.nexus.agent.v1 import agent_pb2

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

COLUMNS = 80
RUN_ID = "01a1f780-2eee-715e-aab2-4d8a2cb016e7"
NOTE = "\n\n(Answered by the offline model.)"
LONG = "The answer was cut at the model's output limit. Ask for a shorter one, or ask the agent to go on with it."


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def terminal(mesh):
    """`nexus` with a terminal for both streams; returns the lines that it shows."""

    def call(*arguments):
        ours, theirs = pty.openpty()
        command = [Path(sys.executable).with_name("nexus"), *arguments, "--data", mesh.layout.root]
        environment = {"PATH": os.environ["PATH"], "COLUMNS": str(COLUMNS), "TERM": "dumb", "NO_COLOR": "1"}
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment):
            os.close(theirs)
            shown = b""
            while part := _read(ours):
                shown += part
        os.close(ours)
        return [line.rstrip() for line in shown.decode().replace("\r\n", "\n").rstrip("\n").split("\n")]

    return call


def _read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # what Linux says once the other side is closed
        return b""


def streamed(*payloads):
    events = []
    for number, payload in enumerate(payloads, start=1):
        fields = {"token_delta": agent_pb2.TokenDelta(text=payload)} if isinstance(payload, str) else payload
        events.append(agent_pb2.RunEvent(run_id=RUN_ID, sequence=number, **fields))
    return lambda _: (agent_pb2.StreamQueryResponse(event=event) for event in events)


def warning(code, message):
    return {"warning": agent_pb2.Warning(code=code, message=message)}


def test_the_answer_stands_between_its_tools_and_what_it_used(mesh, terminal):
    mesh.answers["StreamQuery"] = streamed(
        {"run_started": agent_pb2.RunStarted(question="?")},
        {"tool_call_started": agent_pb2.ToolCallStarted(tool="calculator", arguments_json="{}")},
        {"tool_call_finished": agent_pb2.ToolCallFinished(tool="calculator", ok=True, summary="6*7 = 42")},
        "It is ",
        "42.",
        {"run_finished": agent_pb2.RunFinished(answer="It is 42.")},
    )
    assert terminal("ask", "?") == [
        "\u25b8 calculator {}",
        "  \u2713 calculator 6*7 = 42  0 ms",
        "It is 42.",
        f"run {RUN_ID}",
    ]


def test_that_the_model_is_a_demonstration_is_told_once_by_the_answer(mesh, terminal):
    mesh.answers["StreamQuery"] = streamed(
        "It is 42.",
        warning("OFFLINE_MODEL", "Answered by the offline model."),
        NOTE,
        {"run_finished": agent_pb2.RunFinished(answer=f"It is 42.{NOTE}")},
    )
    assert terminal("ask", "?") == ["It is 42.", "", "(Answered by the offline model.)", f"run {RUN_ID}"]


def test_notices_within_an_answer_are_lines_of_their_own_and_are_folded_between_words(mesh, terminal):
    mesh.answers["StreamQuery"] = streamed(
        "It is 42.",
        warning("OUTPUT_LIMIT", LONG),
        warning("OTHER", "Second."),
        {"run_finished": agent_pb2.RunFinished(answer="It is 42.")},
    )
    shown = terminal("ask", "?")
    assert (shown[0], shown[-2:]) == ("It is 42.", ["! Second.", f"run {RUN_ID}"])
    folded = shown[1:-2]
    assert len(folded) == 2
    assert " ".join(folded) == f"! {LONG}"


def test_the_id_of_a_run_can_be_copied(mesh, terminal):
    run = agent_pb2.Run(run_id=RUN_ID, question="What is " * 20, status=agent_pb2.RUN_STATUS_COMPLETED, model="a/b")
    run.create_time.GetCurrentTime()
    mesh.answers["ListRuns"] = lambda _: agent_pb2.ListRunsResponse(runs=[run])
    shown = terminal("runs", "list")
    assert any(line.startswith(f"{RUN_ID}  completed") for line in shown)
    assert max(map(len, shown)) <= COLUMNS
