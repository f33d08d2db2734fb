"""The kernel of a shell session, with bash and with a plain sh."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest_rig import Guest

PROGRAMS = ("sh", "head", "sleep", "cat")


def plain_path(folder: Path) -> str:
    """A PATH without bash."""
    for name in PROGRAMS:
        (folder / name).symlink_to(shutil.which(name) or name)
    return str(folder)


@pytest.fixture(params=["bash", "sh"])
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guest]:
    path = "/usr/bin:/bin" if request.param == "bash" else plain_path(tmp_path)
    guest = Guest("shell", "serve_shell", path=path)
    yield guest
    guest.end()


def test_a_shell_keeps_folder_variables_and_functions(shell: Guest) -> None:
    assert shell.cell("cd /usr; x='5 é'; f() { echo \"$PWD $x\"; }")[0]["exit_code"] == 0
    assert shell.cell("f\ncat\nfalse")[0] == {"op": "done", "status": "error", "error": "", "exit_code": 1}
    shell.cell(f"y={'z' * 70_000}; echo ${{#y}}")
    code, out, err = shell.end()
    assert (code, out, err.strip()) == (0, "/usr 5 é\n70000\n", "")


def test_a_bad_cell_does_not_end_the_shell(shell: Guest) -> None:
    assert shell.cell("if then (")[0]["exit_code"] == 2
    assert shell.cell("echo ${nope:?bad}")[0]["status"] == "error"
    assert shell.cell("nul\0l")[0]["error"] == "ValueError"
    assert shell.cell("echo there")[0]["status"] == "ok"
    _, out, err = shell.end()
    assert out == "there\n"
    assert "yntax error" in err


def test_an_interrupt_ends_the_command_and_the_rest_of_its_cell(shell: Guest) -> None:
    shell.cell("kept=5")
    done = shell.cell_interrupted("echo b; sleep 60; echo not")
    assert (done["error"], done["exit_code"]) == ("interrupted", 130)
    assert shell.cell_interrupted("echo b; while :; do :; done")["error"] == "interrupted"
    shell.interrupt()
    assert shell.cell("echo $kept")[0]["status"] == "ok"
    assert shell.end()[1].split() == ["5"]


def test_exit_ends_the_session_and_says_so(shell: Guest) -> None:
    assert shell.cell("exit 4")[0] == {"op": "done", "status": "error", "error": "", "exit_code": 4, "ended": True}
    assert shell.frames() == []
    assert shell.end()[0] == 4


def test_a_cell_does_not_see_our_pipes(shell: Guest) -> None:
    shell.cell("for fd in /proc/self/fd/*; do echo ${fd##*/}; done")
    assert set(shell.end()[1].split()) <= {"0", "1", "2", "3", "10", "11", "12", "13", "14", "255"}
