"""`nexus mcp`: what is asked, printed and returned; secrets are read from files and are on no command line."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.mcp.v1 import mcp_pb2 as pb
from shared import errors

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def nexus(tmp_path):
    def call(*arguments, stdin=None, code=0):
        # Options come before `--`: what is behind it is the server's command line.
        at = arguments.index("--") if "--" in arguments else len(arguments)
        words = [*arguments[:at], "--data", str(tmp_path / "d"), *arguments[at:]]
        result = CliRunner().invoke(app, ["mcp", *words], input=stdin)
        assert result.exit_code == code, (result.output, result.exception)
        return result.output

    return call


def answered(spec, state=pb.SERVER_STATE_READY, **fields):
    return pb.Server(spec=spec, state=state, tools=["s_echo"], resources=1, implementation="srv 1", **fields)


def test_servers_are_added_with_secrets_from_files(mesh, nexus, tmp_path):
    mesh.answers["AddServer"] = lambda request: pb.AddServerResponse(server=answered(request.spec, notes=["look here"]))
    said = nexus(
        "add", "web", "--url", "https://example.org/mcp", "--headers-file", "-", stdin="# mine\nX-Key:  k: 1\n"
    )
    (request,) = mesh.requests("AddServer")
    assert request.request_id
    assert request.spec.http.url == "https://example.org/mcp"
    assert [(each.name, each.value) for each in request.spec.http.headers] == [("X-Key", "k: 1")]
    assert "web: ready" in said
    assert "tool s_echo" in said
    assert "look here" in said
    assert "k: 1" not in said
    (tmp_path / "env").write_text("TOKEN= a=b \n\n")
    options = ["--read", str(tmp_path), "--write", "/w", "--egress", "h:1", "--env-file", str(tmp_path / "env")]
    nexus("add", "files", *options, "--effect", "read", "--", "prog", "--flag", "x")
    stdio = mesh.requests("AddServer")[1].spec.stdio
    assert list(stdio.argv) == ["prog", "--flag", "x"]
    assert [(each.name, each.value) for each in stdio.environment] == [("TOKEN", " a=b ")]
    assert (list(stdio.read_only_paths), list(stdio.writable_paths)) == ([str(tmp_path.resolve())], ["/w"])
    assert list(stdio.egress) == ["h:1"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--url", "https://example.org", "--", "prog"),
        ("--url", "https://example.org", "--read", "/x"),
        ("--headers-file", "-", "--", "prog"),
        ("--url", "https://example.org", "--headers-file", "-"),
        ("--url", "https://example.org", "--headers-file", "/nonexistent"),
    ],
)
def test_what_does_not_go_together_is_refused(mesh, nexus, words):
    assert "s3cret" not in nexus("add", "web", *words, stdin="s3cret-without-a-name\n", code=2)
    assert mesh.requests("AddServer") == []


def test_a_server_that_does_not_answer_fails_the_command(mesh, nexus):
    mesh.answers["TestServer"] = lambda request: pb.TestServerResponse(
        server=answered(request.spec, pb.SERVER_STATE_FAILED, error="it takes no connection")
    )
    assert "it takes no connection" in nexus("test", "web", "--url", "https://example.org", code=1)


def test_servers_are_listed_shown_and_removed(mesh, nexus):
    spec = pb.ServerSpec(
        name="files", stdio=pb.StdioTransport(argv=["prog", "x"], environment=[pb.Secret(name="TOKEN")])
    )
    mesh.answers["ListServers"] = lambda request: pb.ListServersResponse(servers=[answered(spec, owner="u")])
    mesh.answers["RemoveServer"] = lambda request: pb.RemoveServerResponse()
    assert "prog x" in nexus("list")
    assert json.loads(nexus("list", "--json"))["servers"][0]["spec"]["name"] == "files"
    assert "with secrets TOKEN" in nexus("show", "files")
    assert "MCP_SERVER_UNKNOWN" in nexus("show", "other", "--json", code=5)
    assert "Removed files." in nexus("remove", "files")
    assert [request.name for request in mesh.requests("RemoveServer")] == ["files"]


def test_resources_and_prompts_are_read(mesh, nexus, tmp_path):
    resource = pb.Resource(uri="text://a", name="a", media_type="text/plain")
    prompt = pb.Prompt(
        name="greet", arguments=[pb.PromptArgument(name="who", required=True), pb.PromptArgument(name="how")]
    )
    mesh.answers["ListResources"] = lambda request: pb.ListResourcesResponse(resources=[resource])
    mesh.answers["ListPrompts"] = lambda request: pb.ListPromptsResponse(prompts=[prompt])
    mesh.answers["GetPrompt"] = lambda request: pb.GetPromptResponse(
        messages=[pb.PromptMessage(role="user", text=request.arguments_json)]
    )
    assert "text://a" in nexus("resources", "web")
    assert "who [how]" in nexus("prompts", "web")
    assert 'user: {"who": "Ann=x"}' in nexus("prompt", "web", "greet", "who=Ann=x")
    nexus("prompt", "web", "greet", "who", code=2)
    mesh.answers["ReadResource"] = lambda request: pb.ReadResourceResponse(text="hi \x1b[2J", truncated=True)
    said = nexus("read", "web", "text://a")
    assert "hi \ufffd[2J" in said
    assert "cut" in said
    mesh.answers["ReadResource"] = lambda request: pb.ReadResourceResponse(data=b"\x00\x01", media_type="image/png")
    nexus("read", "web", "x://b", code=2)
    nexus("read", "web", "x://b", "--output", str(tmp_path / "f"))
    assert (tmp_path / "f").read_bytes() == b"\x00\x01"
    mesh.answers["ReadResource"] = errors.NotFound("MCP_SERVER_UNKNOWN", "There is no MCP server.")
    nexus("read", "none", "x://b", code=5)
