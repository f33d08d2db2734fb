"""`nexus artifacts`, and how artifacts show in runs: what is asked, printed and written."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.artifacts.v1 import artifacts_pb2 as pb
from protos.gen.nexus.tools.v1 import tools_pb2
from shared import errors

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

ID = "0198c0de-0000-7000-8000-000000000001"
DATA = b"12345" * 1_000_000
HANDLE = tools_pb2.ArtifactHandle(artifact_id=ID, name="plot.png", media_type="image/png", size_bytes=12_000)


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        yield running


@pytest.fixture
def nexus(tmp_path):
    return lambda *arguments: CliRunner().invoke(app, [*arguments, "--data", str(tmp_path / "d")])


def artifact(data=DATA, **changes):
    facts = {"artifact_id": ID, "name": "table.csv", "media_type": "text/csv", "user_id": "ann", "tool": "execute_code"}
    return pb.Artifact(**(facts | changes), size_bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


@pytest.fixture
def stored(mesh):
    def read(request):
        return pb.ReadArtifactResponse(data=DATA[request.offset : request.offset + request.length])

    mesh.answers |= {"GetArtifact": lambda _: pb.GetArtifactResponse(artifact=artifact()), "ReadArtifact": read}
    return mesh


def here():
    return sorted(path.name for path in Path().iterdir())


def refusal(result, code):
    assert result.exit_code == code, result.output
    return json.loads(result.stderr)["error"]["reason"]


def test_they_are_listed_of_a_run_and_in_pages(mesh, nexus):
    mesh.answers["ListArtifacts"] = lambda _: pb.ListArtifactsResponse(artifacts=[artifact()], next_page_token="t")
    result = nexus("artifacts", "list", "--run", "run-1", "--limit", "1", "--page", "p")
    (request,) = mesh.requests("ListArtifacts")
    assert (request.run_id, request.page_size, request.page_token) == ("run-1", 1, "p")
    for word in (ID, "table.csv", "text/csv", "5 MB", "execute_code", "More: --page t"):
        assert word in " ".join(result.output.split())


def test_one_is_shown(stored, nexus):
    result = nexus("artifacts", "show", ID)
    assert result.exit_code == 0
    assert artifact().sha256 in result.stdout
    assert json.loads(nexus("artifacts", "show", ID, "--json").stdout)["artifact"]["artifact_id"] == ID


def test_one_is_written_in_pieces_under_its_name(stored, nexus):
    result = nexus("artifacts", "get", ID)
    assert result.stdout == "table.csv: text/csv, 5 MB.\n"
    assert Path("table.csv").read_bytes() == DATA
    assert len(stored.requests("ReadArtifact")) == 2
    assert here() == ["table.csv"]


@pytest.mark.parametrize("wished", ["other.csv", "."])
def test_a_file_that_is_there_is_left_alone_without_force(stored, nexus, wished):
    target = Path("other.csv" if wished == "other.csv" else "table.csv")
    target.write_text("mine")
    assert refusal(nexus("artifacts", "get", ID, "-o", wished, "--json"), 1) == "FILE_EXISTS"
    assert (target.read_text(), stored.requests("ReadArtifact")) == ("mine", [])
    printed = json.loads(nexus("artifacts", "get", ID, "-o", wished, "--force", "--json").stdout)
    assert printed["path"] == str(target)
    assert target.read_bytes() == DATA


def test_a_file_that_came_to_be_meanwhile_is_left_alone_too(stored, nexus):
    answer = stored.answers["ReadArtifact"]

    def meanwhile(request):
        Path("table.csv").write_text("mine")
        return answer(request)

    stored.answers["ReadArtifact"] = meanwhile
    assert refusal(nexus("artifacts", "get", ID, "--json"), 1) == "FILE_EXISTS"
    assert (here(), Path("table.csv").read_text()) == (["table.csv"], "mine")


@pytest.mark.parametrize("data", [b"other bytes", b""])
def test_what_is_not_what_was_stored_is_not_written(stored, nexus, data):
    stored.answers["ReadArtifact"] = lambda request: pb.ReadArtifactResponse(data=b"" if request.offset else data)
    Path("table.csv").write_text("mine")
    assert refusal(nexus("artifacts", "get", ID, "--force", "--json"), 3) == "ARTIFACT_DAMAGED"
    assert (here(), Path("table.csv").read_text()) == (["table.csv"], "mine")


def test_a_name_leads_nowhere_else(stored, nexus):
    stored.answers["GetArtifact"] = lambda _: pb.GetArtifactResponse(artifact=artifact(name="../../evil.csv"))
    assert nexus("artifacts", "get", ID).stdout.startswith("evil.csv: ")
    assert here() == ["evil.csv"]


def test_where_nothing_can_be_written_is_told(stored, nexus):
    assert refusal(nexus("artifacts", "get", ID, "-o", "no/such/folder/x", "--json"), 2) == "FILE_UNWRITABLE"


def test_a_file_is_stored(mesh, nexus):
    mesh.answers["CreateArtifact"] = lambda request: pb.CreateArtifactResponse(artifact=artifact(request.data))
    Path("table.csv").write_bytes(b"a,b")
    result = nexus("artifacts", "put", "table.csv", "--run", "run-1", "--media-type", "text/x")
    assert result.stdout == f"table.csv: text/csv, 3 B, artifact {ID}.\n"
    (request,) = mesh.requests("CreateArtifact")
    assert (request.name, request.data, request.run_id, request.media_type) == ("table.csv", b"a,b", "run-1", "text/x")
    assert request.request_id


def test_a_file_that_cannot_be_stored_is_told_before_anything_is_sent(mesh, nexus):
    Path("large").write_bytes(bytes(6 * 1024 * 1024 + 1))
    assert refusal(nexus("artifacts", "put", "large", "--json"), 2) == "FILE_TOO_LARGE"
    assert refusal(nexus("artifacts", "put", "missing", "--json"), 2) == "FILE_UNREADABLE"
    os.mkfifo("pipe")
    for other in ("pipe", ".", "/dev/zero"):
        assert refusal(nexus("artifacts", "put", other, "--json"), 2) == "FILE_UNREADABLE"
    assert mesh.requests("CreateArtifact") == []


def test_one_is_deleted(mesh, nexus):
    mesh.answers["DeleteArtifact"] = lambda _: pb.DeleteArtifactResponse()
    assert nexus("artifacts", "delete", ID).stdout == f"{ID} is deleted.\n"
    mesh.answers["DeleteArtifact"] = errors.NotFound("ARTIFACT_UNKNOWN", "There is none.")
    assert refusal(nexus("artifacts", "delete", ID, "--json"), 5) == "ARTIFACT_UNKNOWN"


def test_a_run_shows_what_its_tools_left(mesh, nexus):
    call = agent_pb2.ToolCallSummary(tool="execute_code", ok=True, summary="It drew.", artifacts=[HANDLE])
    run = agent_pb2.Run(run_id="run-1", status=agent_pb2.RUN_STATUS_COMPLETED, tool_calls=[call])
    mesh.answers["GetRun"] = lambda _: agent_pb2.GetRunResponse(run=run)
    assert f"  artifact plot.png image/png 12 kB {ID}\n" in nexus("runs", "show", "run-1").stdout


def test_a_question_shows_what_its_tools_left(mesh, nexus):
    finished = agent_pb2.ToolCallFinished(tool="execute_code", ok=True, summary="It drew.", artifacts=[HANDLE])
    payloads = [{"tool_call_finished": finished}, {"run_finished": agent_pb2.RunFinished(answer="Done.")}]
    mesh.answers["StreamQuery"] = lambda _: [
        agent_pb2.StreamQueryResponse(event=agent_pb2.RunEvent(run_id="run-1", sequence=number, **payload))
        for number, payload in enumerate(payloads, 1)
    ]
    assert f"    artifact plot.png image/png 12 kB {ID}\n" in nexus("ask", "Draw.").stderr
    first = json.loads(nexus("ask", "Draw.", "--json").stdout.splitlines()[0])
    assert first["tool_call_finished"]["artifacts"][0]["artifact_id"] == ID
