"""`nexus tools`: what is asked, printed and returned."""

import json
import sys
from pathlib import Path

import pytest
from google.protobuf.duration_pb2 import Duration
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.tools.v1 import tools_pb2 as pb
from shared.errors import NotFound, UpstreamDown

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

MAIL = pb.Tool(
    name="send_mail",
    version="1.2.0",
    description="Sends a mail.",
    input_json_schema='{"type": "object"}',
    output_json_schema='{"type": "object"}',
    side_effect=pb.SIDE_EFFECT_EXTERNAL,
    timeout=Duration(seconds=20),
    enabled=True,
    allowed=False,
    blocked_reason="The policy no-mail forbids it.",
    quota=pb.ToolQuota(calls_per_minute=10, calls_per_day=100, minute_used=1, day_used=3),
    breaker=pb.BREAKER_STATE_HALF_OPEN,
    source="mcp:mail",
    owner="user-1",
    permissions=["mail.send"],
    cost_micro_usd=1500,
    supports_dry_run=True,
)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def nexus(tmp_path):
    def call(*arguments):
        return CliRunner().invoke(app, ["tools", *arguments, "--data", str(tmp_path / "d")])

    return call


def test_the_list_has_every_page_with_state_quota_breaker_and_source(mesh, nexus):
    pages = {
        "": pb.ListToolsResponse(tools=[MAIL], next_page_token="p2"),
        "p2": pb.ListToolsResponse(
            tools=[
                pb.Tool(name="off", allowed=False, source="builtin", quota=pb.ToolQuota(day_used=7)),
                pb.Tool(name="on", enabled=True, allowed=True, breaker=pb.BREAKER_STATE_CLOSED),
            ]
        ),
    }
    mesh.answers["ListTools"] = lambda request: pages[request.page_token]
    shown = nexus("list", "--agent", "clerk", "--channel", "telegram")
    mail, off, on = shown.stdout.splitlines()[1:]
    for word in ("send_mail", "blocked", "external", "3/100 today, 1/10 a minute", "half open", "mcp:mail"):
        assert word in mail
    assert [off.split()[:2], on.split()[:2]] == [["off", "disabled"], ["on", "enabled"]]
    assert "7 today" in off
    assert "closed" in on
    request = mesh.requests("ListTools")[0]
    assert (request.agent, request.channel) == ("clerk", "telegram")
    assert [tool["name"] for tool in json.loads(nexus("list", "--json").stdout)["tools"]] == ["send_mail", "off", "on"]


def test_one_tool_is_shown_whole(mesh, nexus):
    mesh.answers["GetTool"] = lambda _: pb.GetToolResponse(tool=MAIL)
    shown = nexus("show", "send_mail").stdout
    for words in (
        "The policy no-mail forbids it.",
        "0.0015 USD a call",
        "tools.execute, mail.send",
        '"type": "object"',
    ):
        assert words in shown
    assert json.loads(nexus("show", "send_mail", "--json").stdout)["tool"]["quota"]["day_used"] == 3
    mesh.answers["GetTool"] = NotFound("TOOL_UNKNOWN", "There is no tool 'sendmail'. Nearest: send_mail.")
    unknown = nexus("show", "sendmail")
    assert unknown.exit_code == 5
    assert "Nearest: send_mail" in unknown.stderr


def test_a_search_shows_how_well_each_fits(mesh, nexus):
    mesh.answers["SearchTools"] = lambda _: pb.SearchToolsResponse(tools=[pb.FoundTool(tool=MAIL, score=0.8125)])
    shown = nexus("search", "write to Anna", "--limit", "3").stdout
    assert shown.splitlines()[1].split()[:2] == ["0.81", "send_mail"]
    assert (mesh.requests("SearchTools")[0].query, mesh.requests("SearchTools")[0].limit) == ("write to Anna", 3)
    mesh.answers["SearchTools"] = UpstreamDown("UNREACHABLE", "The router does not answer.")
    assert nexus("search", "x").exit_code == 3


def test_a_call_gives_the_output_and_says_how_it_ended(mesh, nexus):
    plot = pb.ArtifactHandle(artifact_id="a-1", name="plot.png", media_type="image/png", size_bytes=12)
    done = pb.ToolResult(
        status=pb.TOOL_STATUS_OK,
        summary="It says hi.",
        output_json='{"text":"hi"}',
        artifacts=[plot],
        duration=Duration(nanos=3_000_000),
    )
    mesh.answers["ExecuteTool"] = lambda _: pb.ExecuteToolResponse(result=done)
    shown = nexus("call", "echo", '{"text": "hi"}', "--dry-run", "--timeout", "1.5", "--time-zone", "UTC")
    assert shown.exit_code == 0
    assert "It says hi." in shown.stdout
    assert '"text": "hi"' in shown.stdout
    assert "plot.png" in shown.stdout
    assert shown.stderr.strip() == "ok, 3 ms"
    (request,) = mesh.requests("ExecuteTool")
    assert (request.name, request.arguments_json, request.dry_run) == ("echo", '{"text": "hi"}', True)
    assert request.timeout.ToMilliseconds() == 1500
    assert request.request_id
    assert request.conversation_id == ""
    nexus("call", "echo", "--request-id", "mine", "--conversation", "talk")
    last = mesh.requests("ExecuteTool")[-1]
    assert last.conversation_id == "talk"
    assert (last.arguments_json, last.request_id, last.HasField("timeout")) == ("{}", "mine", False)


def test_a_tool_that_fails_is_exit_code_1(mesh, nexus):
    failed = pb.ToolResult(status=pb.TOOL_STATUS_ERROR, summary="It failed.", error_reason="CODE_FAILED")
    mesh.answers["ExecuteTool"] = lambda _: pb.ExecuteToolResponse(result=failed)
    shown = nexus("call", "echo")
    assert (shown.exit_code, "CODE_FAILED" in shown.stderr) == (1, True)
    as_json = nexus("call", "echo", "--json")
    assert (as_json.exit_code, json.loads(as_json.stdout)["result"]["error_reason"]) == (1, "CODE_FAILED")


@pytest.mark.parametrize("text", ["{text: 1}", "[1]", "", "[" * 100_000])
def test_arguments_that_are_no_object_are_told_before_anything_is_asked(mesh, nexus, text):
    refused = nexus("call", "echo", text)
    assert refused.exit_code == 2
    assert "ARGUMENTS_MALFORMED" in refused.stderr
    assert mesh.requests("ExecuteTool") == []


def test_a_reload_tells_what_changed_and_fails_when_a_source_does(mesh, nexus):
    mesh.answers["ReloadTools"] = lambda _: pb.ReloadToolsResponse(added=["a", "b"])
    good = nexus("reload")
    assert (good.exit_code, good.stdout) == (0, "added: a, b\nremoved: none\n")
    mesh.answers["ReloadTools"] = lambda _: pb.ReloadToolsResponse(failed=["builtin: line 3 is wrong."])
    bad = nexus("reload")
    assert bad.exit_code == 1
    assert "builtin: line 3 is wrong." in bad.stdout
    assert nexus("reload", "--json").exit_code == 1
