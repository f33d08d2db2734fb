"""`nexus ask` against a server that answers as the test says, loses connections, or is told to cancel."""

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli import ask_question
from mesh.cli.app import app
from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2
from shared.errors import InvalidInput, UpstreamDown

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

LOST = UpstreamDown("UNREACHABLE", "Gone.")
COST = ["--max-cost-usd", "0.0005"]
TOOL = {
    "tool_call_started": agent_pb2.ToolCallStarted(tool="calculator", arguments_json='{"expression":"6*7"}'),
    "tool_call_finished": agent_pb2.ToolCallFinished(tool="calculator", ok=True, summary="6*7 = 42"),
}


def numbered(*payloads, run_id="run-1"):
    """Events of a run; a text stands for a piece of the answer."""
    events = []
    for number, payload in enumerate(payloads, start=1):
        fields = {"token_delta": agent_pb2.TokenDelta(text=payload)} if isinstance(payload, str) else payload
        events.append(agent_pb2.RunEvent(run_id=run_id, sequence=number, **fields))
    return events


STARTED = {"run_started": agent_pb2.RunStarted(question="?")}
FINISHED = {"run_finished": agent_pb2.RunFinished(answer="It is 42.")}
WHOLE = numbered(
    STARTED,
    {"tool_call_started": TOOL["tool_call_started"]},
    {"tool_call_finished": TOOL["tool_call_finished"]},
    {"warning": agent_pb2.Warning(code="OUTPUT_LIMIT", message="The answer was cut.")},
    "It is ",
    "42.",
    {"usage_reported": agent_pb2.UsageReported(model="a/b", input_tokens=5, output_tokens=3, cost_micro_usd=7)},
    FINISHED,
)


def started(events):
    return lambda _: (agent_pb2.StreamQueryResponse(event=event) for event in events)


def watched(events):
    return lambda request: (
        agent_pb2.WatchRunResponse(event=event) for event in events if event.sequence > request.after_sequence
    )


def lost_after(events):
    """Streams the events, then the connection breaks."""

    def answer(_):
        yield from (agent_pb2.StreamQueryResponse(event=event) for event in events)
        yield LOST

    return answer


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def ask(tmp_path):
    def call(*arguments, stdin=None):
        return CliRunner().invoke(app, ["ask", *arguments, "--data", str(tmp_path / "d")], input=stdin)

    return call


def sequences(result):
    return [int(json.loads(line)["sequence"]) for line in result.stdout.splitlines()]


def test_the_answer_is_on_standard_output_and_all_else_on_standard_error(mesh, ask):
    mesh.answers["StreamQuery"] = started(WHOLE)
    result = ask("What is 6*7?", "--model", "a/b", "--conversation", "c-1")
    assert (result.exit_code, result.stdout) == (0, "It is 42.\n")
    for shown in ("calculator", "6*7 = 42", "The answer was cut.", "a/b", "5 + 3 tokens", "$0.000007", "run-1"):
        assert shown in result.stderr
    query = mesh.requests("StreamQuery")[0].query
    assert (query.question, query.model, query.conversation_id) == ("What is 6*7?", "a/b", "c-1")
    assert query.request_id


def cached(seconds, similarity_ppm=1_000_000):
    hit = router_pb2.CacheHit(mode=router_pb2.CACHE_MODE_EXACT, similarity_ppm=similarity_ppm)
    hit.age.FromSeconds(seconds)
    return {"cache_hit": hit}


FREE = {"cost_micro_usd": 0}
UNKNOWN = {"cost_micro_usd": 0, "cost_unknown": True}


@pytest.mark.parametrize(
    ("calls", "told"),
    [
        ([cached(12)], "5 + 3 tokens · from the cache, 12 s old · run"),
        ([cached(400, 971_234)], "5 + 3 tokens · from the cache, 6 min old, 97 % similar · run"),
        ([cached(8000), FREE, cached(300_000)], "15 + 9 tokens · 2 of 3 answers from the cache, 3 d old · run"),
        ([UNKNOWN], "5 + 3 tokens · cost unknown · run"),
        ([UNKNOWN, {"cost_micro_usd": 7}], "10 + 6 tokens · $0.000007 + 1 unknown · run"),
        ([{"cost_micro_usd": 7, "cost_unknown": True}], "5 + 3 tokens · $0.000007 + 1 unknown · run"),
        ([FREE], "5 + 3 tokens · run"),
    ],
)
def test_the_last_line_says_what_came_from_the_cache_and_what_has_no_price(mesh, ask, calls, told):
    used = {"model": "a/b", "input_tokens": 5, "output_tokens": 3}
    reports = [{"usage_reported": agent_pb2.UsageReported(**used, **call)} for call in calls]
    mesh.answers["StreamQuery"] = started(numbered(STARTED, *reports, FINISHED))
    assert told in ask("?").stderr


def test_options_on_routing_go_along_and_come_back_as_advice(mesh, ask):
    failure = agent_pb2.RunFailure(reason="NO_ROUTE", message="No model can take this request.")
    mesh.answers["StreamQuery"] = started(numbered(STARTED, {"run_failed": agent_pb2.RunFailed(failure=failure)}))
    options = ["--tier", "deep", "--data-class", "restricted", "--residency", "eu", "--residency", "ch"]
    result = ask("What's up?", *options, "--max-cost-usd", "0.0005", "--cache")
    routing = mesh.requests("StreamQuery")[0].query.routing
    assert routing == agent_pb2.RunRouting(
        tier="deep",
        data_class=contract_pb2.DATA_CLASS_RESTRICTED,
        residency=["eu", "ch"],
        max_cost_micro_usd=500,
        cache_mode=router_pb2.CACHE_MODE_EXACT,
    )
    (advice,) = (line for line in result.stderr.splitlines() if "route explain" in line)
    assert shlex.split(advice.split("`")[1]) == ["nexus", "route", "explain", "What's up?", *options, *COST]


def test_without_options_nothing_is_asked_of_routing(mesh, ask):
    mesh.answers["StreamQuery"] = started(WHOLE)
    assert ask("?").exit_code == 0
    assert mesh.requests("StreamQuery")[0].query.routing == agent_pb2.RunRouting()


@pytest.mark.parametrize("options", [("--data-class", "secret"), ("--max-cost-usd", "-1")])
def test_options_that_mean_nothing_are_refused_before_anybody_is_asked(mesh, ask, options):
    assert ask("?", *options).exit_code == 2
    assert mesh.calls == []


def test_events_are_lines_of_json_in_the_names_of_the_contract(mesh, ask):
    mesh.answers["StreamQuery"] = started(WHOLE)
    result = ask("?", "--json")
    assert sequences(result) == list(range(1, 9))
    assert json.loads(result.stdout.splitlines()[2])["tool_call_finished"]["ok"] is True
    assert result.stderr == ""


def test_a_question_can_come_from_standard_input(mesh, ask):
    mesh.answers["StreamQuery"] = started(WHOLE)
    assert ask("-", stdin="Grüße?").exit_code == 0
    assert mesh.requests("StreamQuery")[0].query.question == "Grüße?"


@pytest.mark.parametrize(
    ("stdin", "reason"),
    [(b"caf\xe9", "QUESTION_NOT_UTF8"), (b"", "QUESTION_EMPTY"), (b"a" * 1_048_577, "QUESTION_TOO_LONG")],
)
def test_a_question_that_cannot_be_asked_is_refused_before_anybody_is_asked(mesh, ask, stdin, reason):
    result = ask("-", "--json", stdin=stdin)
    assert (result.exit_code, json.loads(result.stderr)["error"]["reason"]) == (2, reason)
    assert mesh.calls == []


def test_a_failed_run_says_why_keeps_its_part_of_the_answer_and_exits_with_1(mesh, ask):
    failure = agent_pb2.RunFailure(reason="MODEL_DOWN", message="No model answers.")
    mesh.answers["StreamQuery"] = started(
        numbered(STARTED, "It is ", {"run_failed": agent_pb2.RunFailed(failure=failure)})
    )
    result = ask("?")
    assert (result.exit_code, result.stdout) == (1, "It is \n")
    assert "No model answers." in result.stderr
    assert "MODEL_DOWN" in result.stderr


def test_a_run_that_somebody_cancelled_exits_with_130(mesh, ask):
    mesh.answers["StreamQuery"] = started(numbered(STARTED, {"run_cancelled": agent_pb2.RunCancelled(user_id="u")}))
    assert ask("?").exit_code == 130


def test_an_answer_that_starts_again_is_printed_once(mesh, ask):
    reset = {"answer_reset": agent_pb2.AnswerReset(reason="the model was lost")}
    mesh.answers["StreamQuery"] = started(numbered(STARTED, "It was", reset, "It is 42.", FINISHED))
    result = ask("?")
    assert result.stdout == "It is 42.\n"
    assert "the model was lost" in result.stderr


def test_a_refused_question_is_told_in_one_line(mesh, ask):
    mesh.answers["StreamQuery"] = InvalidInput("MODEL_UNKNOWN", "There is no model 'x'.")
    result = ask("?", "--model", "x")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("There is no model 'x'.  [MODEL_UNKNOWN, trace ")


@pytest.mark.parametrize("seen", range(8))
def test_wherever_the_connection_breaks_every_event_is_printed_once(mesh, ask, seen):
    answers = [lost_after(WHOLE[:seen]), started(WHOLE)]

    def next_answer(request):
        return answers.pop(0)(request)

    mesh.answers["StreamQuery"] = next_answer
    mesh.answers["WatchRun"] = watched(WHOLE)
    result = ask("?", "--json")
    assert (result.exit_code, sequences(result)) == (0, list(range(1, 9)))
    if seen:
        assert mesh.requests("WatchRun") == [agent_pb2.WatchRunRequest(run_id="run-1", after_sequence=seen)]
    else:
        assert len({request.query.request_id for request in mesh.requests("StreamQuery")}) == 1


def test_a_service_that_restarts_is_found_again(mesh, ask):
    mesh.answers["StreamQuery"] = started(WHOLE)
    mesh.stop("orchestrator")
    threading.Timer(0.5, mesh.serve, ["orchestrator"]).start()
    result = ask("?")
    assert (result.exit_code, result.stdout) == (0, "It is 42.\n")
    assert "Trying again" in result.stderr


def test_a_service_that_stays_away_is_given_up(mesh, ask, monkeypatch):
    follower = ask_question.RunFollower
    monkeypatch.setattr(ask_question, "RunFollower", lambda *arguments: follower(*arguments, patience_s=0.3))
    mesh.stop("orchestrator")
    assert ask("?").exit_code == 3


def test_a_mesh_that_stops_meanwhile_is_not_waited_for(mesh, ask):
    def stop(_):
        yield agent_pb2.StreamQueryResponse(event=WHOLE[0])
        mesh.layout.state.unlink()
        yield LOST

    mesh.answers["StreamQuery"] = stop
    result = ask("?", "--json")
    assert result.exit_code == 3
    assert json.loads(result.stderr.splitlines()[-1])["error"]["reason"] == "MESH_NOT_RUNNING"


@pytest.fixture
def asking(mesh):
    """`nexus ask` as a process of its own whose run goes on until it is cancelled."""
    cancelled = threading.Event()

    def endless(_):
        yield agent_pb2.StreamQueryResponse(event=WHOLE[0])
        cancelled.wait(20)
        end = {"run_cancelled": agent_pb2.RunCancelled(user_id="u")}
        yield agent_pb2.StreamQueryResponse(event=numbered(STARTED, end)[-1])

    def cancel(_):
        cancelled.set()
        return agent_pb2.CancelRunResponse()

    mesh.answers |= {"StreamQuery": endless, "CancelRun": cancel}
    command = [Path(sys.executable).with_name("nexus"), "ask", "?", "--json", "--data", mesh.layout.root]
    environment = {"PATH": os.environ["PATH"]}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert json.loads(process.stdout.readline())["run_started"]
        yield process
        process.kill()
    cancelled.set()


def test_ctrl_c_cancels_the_run_and_shows_its_end(mesh, asking):
    asking.send_signal(signal.SIGINT)
    rest, _ = asking.communicate(timeout=10)
    assert asking.returncode == 130
    assert "run_cancelled" in json.loads(rest)
    assert mesh.requests("CancelRun")[0].run_id == "run-1"


def test_a_second_ctrl_c_leaves_at_once(mesh, asking):
    mesh.answers["CancelRun"] = lambda _: agent_pb2.CancelRunResponse()
    asking.send_signal(signal.SIGINT)
    while "Cancelling" not in asking.stderr.readline():
        pass
    asking.send_signal(signal.SIGINT)
    asking.communicate(timeout=10)
    assert asking.returncode == 130
