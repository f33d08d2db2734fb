"""`nexus sandbox`: what is asked, printed and written, and how it ends, against servers that say what a test says."""

import json
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesh.cli.app import app
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from shared import errors

sys.path.insert(0, str(Path(__file__).parent / "cli_kit"))
from fake_mesh import fake_mesh

ID = "3c4b4ce6-f5b0-478a-8bce-8d9a0194635b"
GONE = errors.NotFound("SESSION_UNKNOWN", "There is no such session.")
OK = pb.EXECUTION_STATUS_OK


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    for name in ("NEXUS_DATA", "NEXUS_API_KEY", "NEXUS_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("plot.py").write_text("draw()")


@pytest.fixture
def mesh(tmp_path):
    with fake_mesh(tmp_path / "d") as running:
        session = pb.Session(session_id=ID, language=pb.LANGUAGE_PYTHON, image="base")
        running.answers |= {
            "CreateSession": lambda _: pb.CreateSessionResponse(session=session),
            "GetSession": lambda _: pb.GetSessionResponse(session=session),
            "CloseSession": lambda _: pb.CloseSessionResponse(),
        }
        yield running


@pytest.fixture
def nexus(tmp_path):
    def call(*arguments, stdin=None):
        return CliRunner().invoke(app, ["sandbox", *arguments, "--data", str(tmp_path / "d")], input=stdin)

    return call


def events(*happened, status=OK, **end):
    finished = pb.ExecutionFinished(status=status, peak_memory_bytes=5 << 20, **end)
    finished.wall_time.FromMilliseconds(250)
    started = pb.ExecutionStarted(execution_id="run-1")
    return [
        pb.ExecuteResponse(started=started),
        *(pb.ExecuteResponse(**event) for event in happened),
        pb.ExecuteResponse(finished=finished),
    ]


def cells(*happened, closed=False, **end):
    made = [pb.ExecuteInSessionResponse(event=event) for event in events(*happened, **end)]
    made[-1].session_closed = closed
    return made


def file(path, *pieces):
    size, offset = sum(map(len, pieces)), 0
    for piece in pieces:
        yield {"file": pb.FileChunk(path=path, size_bytes=size, offset=offset, data=piece, media_type="text/csv")}
        offset += len(piece)


def picture(text="<Figure>"):
    forms = [("text/plain", text.encode()), ("image/png", b"\x89PNG")]
    return {"result": pb.RichOutput(forms=[pb.MediaData(media_type=name, data=data) for name, data in forms])}


def here():
    return sorted(str(path) for path in Path().rglob("*") if path.is_file() and path.name != "plot.py")


def refusal(result, code):
    assert result.exit_code == code, result.output
    return json.loads(result.stderr)["error"]["reason"]


def test_a_program_is_run_as_it_was_asked_for(mesh, nexus):
    mesh.answers["Execute"] = lambda _: events()
    Path("a.csv").write_bytes(b"1")
    Path("given").write_bytes(b"2")
    options = ["--image", "data", "--in", "a.csv:in/b.csv", "--out", "*.x", "--stdin", "given", "--timeout", "2.5"]
    more = ["--memory", "64", "--strict", "--egress", "example.com:443", "--egress", "example.org:443"]
    assert nexus("run", "plot.py", *options, *more).exit_code == 0
    (request,) = mesh.requests("Execute")
    assert request.limits.wall_time.ToMilliseconds() == 2500
    assert request.request_id
    request.ClearField("request_id")
    request.limits.ClearField("wall_time")
    assert request == pb.ExecuteRequest(
        language=pb.LANGUAGE_PYTHON,
        code="draw()",
        stdin=b"2",
        limits=pb.ExecutionLimits(memory_bytes=64 << 20),
        image="data",
        files=[pb.InputFile(path="in/b.csv", data=b"1")],
        output_paths=["*.x"],
        strict=True,
        egress=["example.com:443", "example.org:443"],
    )


def test_what_it_prints_stays_what_it_is_and_what_it_leaves_is_kept(mesh, nexus):
    files = [*file("t/a.csv", b"1", b"2"), *file("b.csv", b"")]
    mesh.answers["Execute"] = lambda _: events({"stdout": b"\xff\x1b"}, {"stderr": b"oh\n"}, picture(), *files)
    result = nexus("run", "plot.py", "--dest", "to/here")
    assert result.exit_code == 0, result.output
    assert result.stdout_bytes == b"\xff\x1b"
    assert here() == ["to/here/b.csv", "to/here/plot-1.png", "to/here/t/a.csv"]
    assert (Path("to/here/t/a.csv").read_bytes(), Path("to/here/plot-1.png").read_bytes()) == (b"12", b"\x89PNG")
    assert result.stderr.startswith("oh\n")
    assert result.stderr.endswith("ok \u00b7 0.250 s \u00b7 CPU 0.000 s \u00b7 memory 5.0 MiB\n")


def test_a_program_from_standard_input_ends_with_its_own_exit_code(mesh, nexus):
    mesh.answers["Execute"] = lambda _: events(status=pb.EXECUTION_STATUS_ERROR, exit_code=7)
    assert nexus("run", "-", "--language", "shell", stdin="exit 7").exit_code == 7
    (request,) = mesh.requests("Execute")
    assert (request.language, request.code) == (pb.LANGUAGE_SHELL, "exit 7")
    assert nexus("run", "-", "--stdin", "-", stdin="x").exit_code == 2


def test_what_is_missing_or_there_already_makes_it_fail(mesh, nexus):
    Path("a.csv").write_text("mine")
    skipped = [pb.SkippedFile(path="b.csv", reason="not_found")]
    happened = [*file("a.csv", b"1", b"2"), *file("../c.csv", b"3"), *file("d.csv", b"4")]
    mesh.answers["Execute"] = lambda _: events(*happened, skipped_files=skipped)
    result = nexus("run", "plot.py", "--out", "*", "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert [file["saved"] for file in told["files"]] == ["d.csv"]
    assert len(told["troubles"]) == 3
    assert (Path("a.csv").read_text(), here()) == ("mine", ["a.csv", "d.csv"])
    assert nexus("run", "plot.py", "--out", "*", "--force").exit_code == 1
    assert Path("a.csv").read_text() == "12"


def test_what_could_not_be_kept_is_refused_before_anything_runs(mesh, nexus):
    assert refusal(nexus("run", "plot.py", "--out", "plot.py", "--json"), 1) == "FILE_EXISTS"
    assert refusal(nexus("run", "plot.py", "--out", "../x", "--json"), 2) == "PATH_INVALID"
    assert mesh.requests("Execute") == []


def test_programs_get_one_object(mesh, nexus):
    mesh.answers["Execute"] = lambda _: events({"stdout": b"a"}, picture(), {"stdout": b"b"})
    told = json.loads(nexus("run", "plot.py", "--json").stdout)
    assert (told["execution_id"], told["status"], told["stdout"]) == ("run-1", "ok", "ab")
    assert told["results"] == [{"text": "", "saved": "plot-1.png"}]
    assert told["finished"]["status"] == "EXECUTION_STATUS_OK"


def test_a_cut_stream_keeps_nothing_half(mesh, nexus):
    mesh.answers["Execute"] = lambda _: events(*list(file("a.csv", b"1", b"2"))[:1])[:-1]
    assert refusal(nexus("run", "plot.py", "--json"), 3) == "STREAM_CUT"
    assert here() == []


def test_what_must_be_set_up_first_has_its_exit_code(mesh, nexus):
    mesh.answers["Execute"] = errors.PreconditionFailed("ISOLATION_UNAVAILABLE", "Run sysctl.")
    assert refusal(nexus("run", "plot.py", "--json"), 6) == "ISOLATION_UNAVAILABLE"


def test_a_piped_shell_runs_cells_between_its_own_lines_and_closes_its_session(mesh, nexus):
    kept = {}

    def write(request):
        kept[request.path] = kept.get(request.path, b"")[: request.offset] + request.data
        return pb.WriteFileResponse(size_bytes=len(kept[request.path]))

    def read(request):
        data = kept[request.path]
        piece = data[request.offset : request.offset + request.length]
        return pb.ReadFileResponse(chunk=pb.FileChunk(size_bytes=len(data), offset=request.offset, data=piece))

    entry = pb.FileEntry(path="in/big", size_bytes=5 << 20)
    mesh.answers |= {
        "ExecuteInSession": lambda _: cells({"stdout": b"out\n"}, picture()),
        "WriteFile": write,
        "ReadFile": read,
        "ListFiles": lambda _: pb.ListFilesResponse(files=[entry]),
    }
    Path("big").write_bytes(b"12345" * (1 << 20))
    script = "x = 1\ny = 2\n%put big in/big\n%files\n%get in/big back\nx\n%save said.py\n%help\n"
    result = nexus("shell", "--dest", "p", stdin=script)
    assert result.exit_code == 0, result.output
    assert [request.code for request in mesh.requests("ExecuteInSession")] == ["x = 1\ny = 2\n", "x\n"]
    assert Path("back").read_bytes() == kept["in/big"] == Path("big").read_bytes()
    assert Path("said.py").read_text() == "x = 1\ny = 2\nx\n"
    assert here() == ["back", "big", "p/shell-1.png", "p/shell-2.png", "said.py"]
    assert result.stdout.startswith("out\npath")
    assert "in/big  5.24 MB" in result.stdout
    assert [request.session_id for request in mesh.requests("CloseSession")] == [ID]


def test_the_first_cell_that_fails_ends_a_piped_shell(mesh, nexus):
    mesh.answers["ExecuteInSession"] = lambda _: cells(status=pb.EXECUTION_STATUS_TIMEOUT)
    assert nexus("shell", stdin="a\n%files\nb").exit_code == 124
    assert len(mesh.calls) == 3  # opened, one cell, closed
    assert nexus("shell", stdin="%put").exit_code == 2


def test_a_session_is_gone_on_with_and_stays(mesh, nexus):
    mesh.answers["ExecuteInSession"] = lambda _: cells()
    assert ID in nexus("shell", "--session", ID, stdin="a").stderr
    assert ID in nexus("shell", "--keep", stdin="a").stderr
    assert mesh.requests("CloseSession") == []
    mesh.answers["ExecuteInSession"] = lambda _: cells(closed=True)
    assert "The session has ended." in nexus("shell", stdin="exit()\n%files").stderr
    assert (mesh.requests("CloseSession"), mesh.requests("ListFiles")) == ([], [])


def test_sessions_are_opened_listed_used_and_closed(mesh, nexus):
    made = nexus("sessions", "create", "--image", "data", "--idle", "60", "--memory", "64", "--timeout", "2")
    assert made.stdout == f"{ID}\n"
    (request,) = mesh.requests("CreateSession")
    assert (request.image, request.idle_timeout.seconds, request.limits.memory_bytes) == ("data", 60, 64 << 20)
    session = pb.Session(session_id=ID, language=pb.LANGUAGE_PYTHON, image="data", cells=3, busy=True)
    mesh.answers["ListSessions"] = lambda _: pb.ListSessionsResponse(sessions=[session], next_page_token="next")
    listed = nexus("sessions", "list", "--limit", "1")
    for word in (ID, "python", "data", "running", "3"):
        assert word in listed.stdout
    assert "--page next" in listed.stderr
    mesh.answers["ExecuteInSession"] = lambda _: cells({"stdout": b"1\n"}, closed=True)
    told = json.loads(nexus("sessions", "run", ID, "-", "--timeout", "1", "--json", stdin="a").stdout)
    assert (told["stdout"], told["session_closed"]) == ("1\n", True)
    (request,) = mesh.requests("ExecuteInSession")
    assert (request.session_id, request.code, request.wall_time.seconds) == (ID, "a", 1)
    assert nexus("sessions", "close", ID).stdout == f"{ID} is closed.\n"
    mesh.answers["CloseSession"] = GONE
    assert refusal(nexus("sessions", "close", ID, "--json"), 5) == "SESSION_UNKNOWN"


def test_a_file_that_shrinks_while_it_is_read_is_not_written(mesh, nexus):
    def read(request):
        size = 9 if request.offset else 20
        return pb.ReadFileResponse(chunk=pb.FileChunk(size_bytes=size, data=b"" if request.offset else b"123"))

    mesh.answers["ReadFile"] = read
    assert refusal(nexus("sessions", "get", ID, "a/x", "--json"), 3) == "FILE_CHANGED"
    assert here() == []
    Path("x").write_text("mine")
    assert refusal(nexus("sessions", "get", ID, "a/x", "--json"), 1) == "FILE_EXISTS"


def test_images_isolation_and_cancelling(mesh, nexus):
    images = [pb.Image(name="base", available=True), pb.Image(name="data", remedy="Run `make setup`.")]
    mesh.answers["ListImages"] = lambda _: pb.ListImagesResponse(images=images)
    shown = nexus("images")
    assert "not set up" in shown.stdout
    assert "data: Run `make setup`." in shown.stderr
    layer = pb.IsolationLayer(name="seccomp", detail="no filter")
    refused = pb.GetIsolationResponse(backend="namespaces", remedy="Run sysctl.", layers=[layer])
    mesh.answers["GetIsolation"] = lambda _: refused
    shown = nexus("isolation")
    assert (shown.exit_code, "Run sysctl." in shown.stderr, "no filter" in shown.stdout) == (1, True, True)
    refused.available = True
    assert nexus("isolation", "--json").exit_code == 0
    mesh.answers["CancelExecution"] = lambda _: pb.CancelExecutionResponse()
    assert nexus("cancel", "run-1").exit_code == 0
    assert mesh.requests("CancelExecution")[0].execution_id == "run-1"
