"""Programs with and without a conversation: what they are given, what is kept of them, what is told."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from artifact_fakes import SHELVED, MemoryArtifactStore, shelf
from tools_fakes import FakeCodeRunner, FakeWorkspaces, call_context, code_running

from shared.errors import Forbidden, NotFound, QuotaExceeded
from shared.testing.harness import principal
from tool_executor.adapters.tool_execute_code import ExecuteCodeTool
from tool_executor.adapters.tool_shell import ShellTool
from tool_executor.domain.code_result import results_of
from tool_executor.domain.code_run import CodeLanguage, CodeRun, CodeStatus, Form, Program
from tool_executor.domain.tool_call import ArtifactHandle, CallContext, CallOrigin, ToolFailure
from tool_executor.domain.workspace_file import FileChoice, FileEntry, FileIn, LeftFiles, changed_files

PNG = b"\x89PNG\r\n\x1a\n..."
TALK = call_context(origin=CallOrigin(conversation_id="talk-1", run_id="run-1"))
PLOT = (Form("text/plain", b"<Figure size 640x480 with 1 Axes>"), Form("image/png", PNG))
TABLE = (Form("text/plain", b"   a\n0  1"), Form("text/html", b"<table></table>"))


def ok(*shown: tuple[Form, ...], **changes: object) -> CodeRun:
    return CodeRun(CodeStatus.OK, 0, "", "", 0.01, shown, **changes)  # type: ignore[arg-type]


def names(artifacts: Sequence[ArtifactHandle]) -> list[str]:
    return [each.name for each in artifacts]


async def test_pictures_tables_and_changed_files_of_a_conversation_become_artifacts() -> None:
    workspaces, store = FakeWorkspaces(), MemoryArtifactStore()
    workspace = workspaces.mine(TALK)
    for path in ("same.txt", "other.csv"):
        workspace.put(path, b"1")

    def draw(program: Program) -> CodeRun:
        for path in ("out/result.csv", "other.csv", ".cache/x", "pkg/__pycache__/m.pyc"):
            workspace.put(path, b"2")
        return ok((Form("text/plain", b"42"),), PLOT, TABLE, PLOT)

    workspace.on_run = draw
    output = await ExecuteCodeTool(code_running(None, workspaces, store)).run({"code": "draw()"}, TALK)
    left = ["plot-1.png", "table-1.html", "plot-2.png", "other.csv", "result.csv"]
    assert names(output.artifacts) == left
    assert output.summary == f"Its value:\n42\n   a\n0  1\nIt left {', '.join(left)}."
    assert output.value["results"] == [
        {"text": "42"},
        {"text": "<Figure size 640x480 with 1 Axes>", "file": "plot-1.png"},
        {"text": "   a\n0  1", "file": "table-1.html"},
        {"text": "<Figure size 640x480 with 1 Axes>", "file": "plot-2.png"},
    ]
    made, data = store.kept["org-a", output.artifacts[0].artifact_id]
    assert (made.tool, made.run_id, made.media_type, data) == ("execute_code", "run-1", "image/png", PNG)


async def test_what_a_failed_program_left_is_kept_too() -> None:
    workspaces = FakeWorkspaces()
    workspace = workspaces.mine(TALK)

    def fail(program: Program) -> CodeRun:
        workspace.put("half.csv", b"1")
        return CodeRun(CodeStatus.ERROR, 1, "", "NameError: y", 0.01)

    workspace.on_run = fail
    with pytest.raises(ToolFailure) as caught:
        await ShellTool(code_running(None, workspaces)).run({"command": "make"}, TALK)
    assert names(caught.value.artifacts) == ["half.csv"]
    assert caught.value.summary.endswith("NameError: y\nIt left half.csv.")
    assert workspace.programs[0].language is CodeLanguage.SHELL


async def test_that_a_session_began_anew_or_ended_is_told() -> None:
    workspaces = FakeWorkspaces()
    workspace = workspaces.mine(TALK)
    workspace.restarted = True
    tool = ExecuteCodeTool(code_running(None, workspaces))
    output = await tool.run({"code": "1"}, TALK)
    assert output.value["session_restarted"] is True
    assert output.summary.startswith("The session had ended and was started anew")
    workspace.restarted = False
    workspace.on_run = lambda _: ok(session_ended=True)
    ended = await tool.run({"code": "1"}, TALK)
    assert ended.value["session_ended"] is True
    assert "session_restarted" not in ended.value
    assert ended.summary.endswith("the next call starts anew.")


@pytest.mark.parametrize("call", [TALK, call_context()], ids=["conversation", "none"])
async def test_artifacts_are_put_where_the_program_runs(call: CallContext) -> None:
    runner, workspaces = FakeCodeRunner(), FakeWorkspaces()
    tool = ExecuteCodeTool(code_running(runner, workspaces, shelf(b"a,b", "sales.csv")))
    wanted = [{"artifact_id": SHELVED.upper()}, {"artifact_id": SHELVED, "path": "in/b.csv"}]
    output = await tool.run({"code": "1", "artifacts": wanted}, call)
    files = {"sales.csv": b"a,b", "in/b.csv": b"a,b"}
    if call is TALK:
        assert workspaces.mine(TALK).held == files
    else:
        assert {file.path: file.data for file in runner.given[0]} == files
    assert output.artifacts == ()


@pytest.mark.parametrize("call", [TALK, call_context()], ids=["conversation", "none"])
async def test_nobody_loads_what_is_not_theirs_to_read(call: CallContext) -> None:
    runner = FakeCodeRunner()
    tool = ExecuteCodeTool(code_running(runner, artifacts=shelf(b"a,b")))
    arguments = {"code": "1", "artifacts": [{"artifact_id": SHELVED}]}
    stranger = principal(org_id="org-b")
    poor = principal(roles=["operator"], permissions=["tools.execute", "sandbox.execute"])
    for who, error in ((stranger, NotFound), (poor, Forbidden)):
        with pytest.raises(error):
            await tool.run(arguments, call_context(principal=who, origin=call.origin))
    assert runner.programs == []


async def test_a_program_without_a_conversation_is_given_only_so_much() -> None:
    store = shelf(bytes(4 * 1024 * 1024))
    arguments = {"code": "1", "artifacts": [{"artifact_id": SHELVED, "path": path} for path in ("a", "b")]}
    with pytest.raises(ToolFailure, match="conversation_id") as caught:
        await ExecuteCodeTool(code_running(artifacts=store)).run(arguments, call_context())
    assert caught.value.reason == "ARTIFACTS_TOO_LARGE"


async def test_a_run_without_a_conversation_leaves_artifacts_as_well() -> None:
    runner = FakeCodeRunner(ok(PLOT), LeftFiles((FileIn("d/a.csv", b"1"),), ("b.bin is too large.",)))
    output = await ExecuteCodeTool(code_running(runner)).run({"code": "1"}, call_context())
    assert names(output.artifacts) == ["plot-1.png", "a.csv"]
    assert output.value["notes"] == ["b.bin is too large."]
    assert output.summary == "It left plot-1.png, a.csv.\nb.bin is too large."


async def test_what_cannot_be_kept_is_told_and_no_failure() -> None:
    store = MemoryArtifactStore(error=QuotaExceeded("ARTIFACT_QUOTA_EXCEEDED", "All is full."))
    output = await ExecuteCodeTool(code_running(FakeCodeRunner(ok(PLOT)), artifacts=store)).run(
        {"code": "1"}, call_context()
    )
    assert output.artifacts == ()
    assert output.summary == (
        "It ran and printed nothing. Print what you want to see.\n"
        "plot-1.png could not be kept: All is full. [ARTIFACT_QUOTA_EXCEEDED]"
    )


async def test_cut_output_is_told() -> None:
    output = await ExecuteCodeTool(code_running(FakeCodeRunner(ok(output_cut=True)))).run({"code": "1"}, call_context())
    assert output.value["notes"] == ["It printed more than is told; write what is long to a file."]


def test_values_are_json_where_they_are() -> None:
    def shown(structure: bytes) -> dict[str, object]:
        forms = (Form("text/plain", b"repr"), Form("application/json", structure))
        (value,) = results_of([forms]).values
        return value

    assert shown(b'{"a": [1, null]}') == {"json": {"a": [1, None]}}
    # None of these could be told as JSON.
    for bad in (b"{", b"NaN", b'"\\ud800"', b"[" * 100_000, b"\xff", b"9" * 10_000):
        assert shown(bad) == {"text": "repr"}


def test_an_object_that_says_only_where_it_is_is_not_told_to_people() -> None:
    line = (Form("text/plain", b"[<matplotlib.lines.Line2D object at 0x7f9fa8f354d0>]"),)
    results = results_of([line, PLOT])
    assert results.text == ""
    assert len(results.values) == 2


def test_no_more_things_are_told_than_a_model_can_take() -> None:
    results = results_of([(Form("text/plain", b"x"),)] * 40)
    assert (len(results.values), results.left_out) == (32, 8)


def test_files_count_as_changed_by_size_or_time() -> None:
    before = [FileEntry("a", 1, 1), FileEntry("b", 1, 1), FileEntry("c", 1, 1), FileEntry("gone", 1, 1)]
    after = [FileEntry("a", 1, 1), FileEntry("b", 2, 1), FileEntry("c", 1, 2), FileEntry("new", 0, 1)]
    assert [file.path for file in changed_files(before, after)] == ["b", "c", "new"]


def test_so_many_files_are_kept_and_the_rest_is_named() -> None:
    choice = FileChoice()
    taken = [choice.takes(f"{number}", 1) for number in range(18)]
    assert taken == [True] * 16 + [False] * 2
    assert choice.notes("Look there.") == (
        "Not kept as artifacts, since a call keeps no more than 16 files or 8.39 MB: 16 (1 B), 17 (1 B). Look there.",
    )
    large = FileChoice()
    assert not large.takes("large", 9_000_000)
    assert large.takes("small", 1)
    assert FileChoice().notes("Nothing was left out.") == ()
