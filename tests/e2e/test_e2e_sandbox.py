"""`nexus sandbox` on a whole mesh: a file, a plot, a table that goes in and comes out, and sessions that remember."""

from __future__ import annotations

from pathlib import Path

from shared.testing.running_mesh import RunningMesh

PNG = b"\x89PNG\r\n\x1a\n"
TOTAL = """\
import pandas as pd
table = pd.read_csv("sales.csv")
table["total"] = table.price * table.pieces
table.to_csv("totals.csv", index=False)
"""
SCRIPT = """\
%put HERE/sales.csv in/sales.csv
import pandas as pd
table = pd.read_csv("in/sales.csv")
table["total"] = table.price * table.pieces
%files
table.to_csv("totals.csv", index=False)
int(table.total.sum())
%get totals.csv HERE
"""


def test_a_program_is_run_and_ends_with_its_exit_code(mesh: RunningMesh, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint(input()[::-1])\nprint('oh', file=sys.stderr)\nsys.exit(3)\n")
    done = mesh.cli("sandbox", "run", str(program), "--stdin", "-", given=b"abc")
    assert (done.returncode, done.stdout) == (3, "cba\n")
    assert done.stderr.startswith("oh\nerror, exit code 3 \u00b7 ")
    assert mesh.cli("sandbox", "run", "-", "--timeout", "0.2", given=b"while True: pass").returncode == 124


def test_a_plot_and_a_table_come_out(mesh: RunningMesh, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("price,pieces\n2,3\n4,5\n")
    (tmp_path / "total.py").write_text(f"{TOTAL}table.plot()\n")
    where = ("--in", str(tmp_path / "sales.csv"), "--out", "*.csv", "--dest", str(tmp_path / "to"))
    done = mesh.cli("sandbox", "run", str(tmp_path / "total.py"), "--image", "data", *where)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "to" / "totals.csv").read_text() == "price,pieces,total\n2,3,6\n4,5,20\n"
    assert (tmp_path / "to" / "total-1.png").read_bytes().startswith(PNG)


def test_a_session_keeps_its_variables_and_files(mesh: RunningMesh, tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("price,pieces\n2,3\n4,5\n")
    session = mesh.cli("sandbox", "sessions", "create", "--image", "data").stdout.strip()
    script = SCRIPT.replace("HERE", str(tmp_path))
    done = mesh.cli("sandbox", "shell", "--session", session, given=script.encode())
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("\n26\n")
    assert (tmp_path / "totals.csv").read_text() == "price,pieces,total\n2,3,6\n4,5,20\n"
    (told,) = mesh.cli_json("sandbox", "sessions", "run", session, "len(table)")
    assert told["results"] == [{"text": "2", "saved": ""}]
    assert mesh.cli("sandbox", "sessions", "close", session).returncode == 0


def test_a_shell_of_the_shell_is_piped(mesh: RunningMesh) -> None:
    done = mesh.cli("sandbox", "shell", "--language", "shell", given=b"cd /tmp\nx=5\n%files\necho $PWD $x\nexit 4")
    assert (done.returncode, done.stdout) == (4, "/tmp 5\n"), done.stderr
    assert "The session has ended." in done.stderr
