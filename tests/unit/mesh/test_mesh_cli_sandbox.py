"""`nexus sandbox` without a mesh: what is a cell, what goes where, and how a command ends."""

import builtins
import io

import pytest

from mesh.cli.sandbox.follow import exit_status_of
from mesh.cli.sandbox.inputs import input_files, language_of, text_of
from mesh.cli.sandbox.keeper import Keeper
from mesh.cli.sandbox.lines import TypedCells, pieces_of, python_is_complete
from mesh.cli.sandbox.views import TextView
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from shared.errors import AlreadyExists, InvalidInput


@pytest.mark.parametrize(
    ("finished", "status"),
    [
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_OK), 0),
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_ERROR, exit_code=3), 3),
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_ERROR, exit_code=-1, signal=11), 139),
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_TIMEOUT, exit_code=-1, signal=9), 124),
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_TIMEOUT, exit_code=1), 124),
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_OUT_OF_MEMORY, exit_code=1), 137),
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_OUTPUT_LIMIT, exit_code=1), 137),
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_KILLED, exit_code=1), 137),
        (pb.ExecutionFinished(status=pb.EXECUTION_STATUS_POLICY, exit_code=-1, signal=31), 159),
    ],
)
def test_a_program_s_end_has_the_exit_status_that_shells_give_it(finished, status):
    assert exit_status_of(finished) == status


@pytest.mark.parametrize(
    ("cell", "complete"),
    [
        ("x = 1", True),
        ("for i in range(3):", False),
        ("for i in range(3):\n    print(i)", False),
        ("for i in range(3):\n    print(i)\n", True),
        ("f(1,", False),
        ("f(1,\n2)", True),
        ("'''a", False),
        ("await g()", True),
        ("async with a() as b:", False),
        ("def f(:", True),
        ("x = 1\ny = 2", True),
        ("@decorated", False),
    ],
)
def test_a_cell_of_python_ends_where_python_says(cell, complete):
    assert python_is_complete(cell) is complete


def test_a_script_is_cut_at_the_shell_s_own_lines_alone():
    assert pieces_of("a = 1\nb = 2\n%files\n\n%put x y\nc = '''\n%helpless\n'''\n") == [
        "a = 1\nb = 2\n",
        "%files",
        "%put x y",
        "c = '''\n%helpless\n'''\n",
    ]


def typed(monkeypatch, *lines, is_python=True):
    asked = []

    def answer(prompt):
        asked.append(prompt)
        line = lines[len(asked) - 1]
        if isinstance(line, type):
            raise line
        return line

    monkeypatch.setattr(builtins, "input", answer)
    cells = TypedCells(is_python=is_python)
    return list(iter(cells.next, None)), asked


def test_what_is_typed_becomes_cells(monkeypatch):
    cells, asked = typed(monkeypatch, "", "for i in x:", "    i", "", "  ", "%files", EOFError)
    assert cells == ["for i in x:\n    i\n", "%files"]
    assert asked == [">>> ", ">>> ", "... ", "... ", ">>> ", ">>> ", ">>> "]


def test_ctrl_c_drops_what_is_typed(monkeypatch):
    assert typed(monkeypatch, "for i in x:", KeyboardInterrupt, "y", EOFError)[0] == ["y"]


def test_a_line_of_the_shell_goes_on_after_a_backslash(monkeypatch):
    cells, asked = typed(monkeypatch, "for i in 1 2; do \\", "echo $i; done", "pwd", EOFError, is_python=False)
    assert cells == ["for i in 1 2; do \\\necho $i; done", "pwd"]
    assert asked[:2] == ["$ ", "> "]


def test_the_language_is_that_of_the_suffix_unless_it_is_said():
    assert language_of("", "a/b.PY") == pb.LANGUAGE_PYTHON
    assert language_of("", "b.sh") == pb.LANGUAGE_SHELL
    assert language_of("shell", "b.py") == pb.LANGUAGE_SHELL
    assert language_of("", "-") == pb.LANGUAGE_PYTHON
    for name, file in (("ruby", "a.py"), ("", "a.rb")):
        with pytest.raises(InvalidInput, match="--language"):
            language_of(name, file)


def test_files_go_in_under_their_names_or_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_bytes(b"a")
    (tmp_path / "b:c").write_bytes(b"b")
    files = input_files(["a.csv", "a.csv:in/x.csv", "b:c"])
    assert [(file.path, file.data) for file in files] == [("a.csv", b"a"), ("in/x.csv", b"a"), ("b:c", b"b")]
    for wrong in ("a.csv:../x", "a.csv:/x", "no.csv"):
        with pytest.raises(InvalidInput):
            input_files([wrong])
    (tmp_path / "big").write_bytes(bytes(4 << 20))
    with pytest.raises(InvalidInput, match="6 MiB"):
        input_files(["big", "big:again"])


def test_a_program_is_text():
    for raw in (b"", b" \n", b"\xff"):
        with pytest.raises(InvalidInput):
            text_of(raw)


def forms(*media_types):
    return pb.RichOutput(forms=[pb.MediaData(media_type=name, data=name.encode()) for name in media_types])


def test_the_richest_form_of_a_result_is_kept_and_nothing_written_over(tmp_path):
    (tmp_path / "plot-1.png").write_text("mine")
    keeper = Keeper(tmp_path, "plot")
    assert keeper.keep_result(forms("text/plain", "image/png")) == ("", tmp_path / "plot-2.png")
    assert keeper.keep_result(forms("text/plain", "application/json", "text/html")) == (
        "text/plain",
        tmp_path / "plot-3.html",
    )
    assert keeper.keep_result(forms("text/plain", "x/new")) == ("text/plain", None)
    assert (tmp_path / "plot-1.png").read_text() == "mine"
    assert (tmp_path / "plot-2.png").read_bytes() == b"image/png"
    forced = Keeper(tmp_path, "plot", force=True)
    assert forced.keep_result(forms("image/png"))[1] == tmp_path / "plot-1.png"
    assert (tmp_path / "plot-1.png").read_bytes() == b"image/png"


def test_a_shell_keeps_pictures_alone(tmp_path):
    keeper = Keeper(tmp_path / "new", "shell", pictures_only=True)
    assert keeper.keep_result(forms("text/plain", "application/json")) == ("text/plain", None)
    assert keeper.keep_result(forms("text/plain", "image/png"))[1] == tmp_path / "new" / "shell-1.png"


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a\nb", ""])
def test_a_path_leads_nowhere_else(tmp_path, path):
    with pytest.raises(InvalidInput):
        Keeper(tmp_path, "x", force=True).path_of(path)


def test_a_file_that_is_there_is_left_alone_without_force(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(AlreadyExists):
        Keeper(tmp_path, "x").check(["*.csv", "link"])
    Keeper(tmp_path, "x", force=True).check(["link"])


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Silent:
    def note(self, text, style=""):
        """Nobody reads it."""


def test_a_program_cannot_make_the_terminal_do_anything(monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    view = TextView(Silent())
    for data in (b"\x1b[2Jgr\xc3", b"\xbcn\r", b"\n50%\r100%"):
        view.stdout(data)
    view._out.end()
    assert terminal.getvalue() == "\ufffd[2Jgr\u00fcn\n50%\n100%\n"
