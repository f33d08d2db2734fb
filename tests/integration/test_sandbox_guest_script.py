"""A program that the guest runtime runs behaves as under `python -I -B -u`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guest_rig import Guest, run_plain

PROGRAMS = {
    "names": "import sys; print('hé', __name__, sys.argv[1:], sorted(globals()), __spec__, sys.dont_write_bytecode)",
    "streams": "import sys\nfor s in (sys.stdin, sys.stdout, sys.stderr): print(s.name, s.encoding, s.errors)",
    "traceback": "def f():\n    1 / 0\ntry:\n    f()\nexcept Exception as e:\n    raise ValueError('x') from e",
    "syntax": "x = (",
    "exit": "import atexit, sys\natexit.register(print, 'at exit')\nsys.exit('bye')",
    "exit code": "exit(-1)",
    "interrupt": "raise KeyboardInterrupt",
    "threads": "import threading as t, time\nt.Thread(target=lambda: time.sleep(.05) or print(2)).start()\nprint(1)",
    "open file": "import os\nf = open(__file__ + '.txt', 'w')\nf.write('x' * 9)\nclass A:\n    def __del__(self):\n"
    "        print('gone')\na = A()",
    "fork": "import os\nif os.fork() == 0:\n    raise SystemExit(4)\nprint(os.waitstatus_to_exitcode(os.wait()[1]))",
    "hook": "import sys\nsys.excepthook = lambda *a: print('hook', a[0])\n1 / 0",
    "closed": "import os\nos.closerange(3, 100)\nprint(open(__file__).fileno())",
    "processes": "import multiprocessing as m\ndef f(x): return x * x\nif __name__ == '__main__':\n"
    "    for way in ('fork', 'spawn'):\n        with m.get_context(way).Pool(1) as p: print(p.map(f, [3]))",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_behaves_as_under_python(tmp_path: Path, name: str) -> None:
    program = tmp_path / "main.py"
    program.write_text(PROGRAMS[name], encoding="utf-8")
    expected = run_plain(program)
    guest = Guest("script", "run_script", str(program))
    assert guest.frames() == []
    assert guest.end() == expected
    if name == "open file":
        assert (tmp_path / "main.py.txt").read_text() == "x" * 9


def test_nothing_of_the_service_is_in_a_programs_sight(tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    program.write_text(
        "import sys\nprint([n for n in sys.modules if 'sandbox' in n])\nimport sandbox_service", encoding="utf-8"
    )
    code, out, err = Guest("script", "run_script", str(program)).end()
    assert (code, out) == (1, "[]\n")
    assert err.endswith("ModuleNotFoundError: No module named 'sandbox_service'\n")
    assert "adapters/guest" not in err


def test_open_figures_are_results_of_a_program(tmp_path: Path) -> None:
    program = tmp_path / "main.py"
    # What pyplot is to the runtime: numbers of figures, figures that can be saved, and a way to close them.
    program.write_text(
        "import sys, types\n"
        "class Figure:\n"
        "    dpi = 100\n"
        "    def savefig(self, target, dpi, **_):\n"
        "        target.write(b'p' * int(dpi * 10000))\n"
        "    def __repr__(self): return 'a figure'\n"
        "pyplot = types.ModuleType('pyplot')\n"
        "pyplot.get_fignums = lambda: [1, 2]\n"
        "pyplot.figure = lambda number: Figure() if number == 1 else 1 / 0\n"
        "pyplot.close = print\n"
        "sys.modules['matplotlib.pyplot'] = pyplot\n",
        encoding="utf-8",
    )
    guest = Guest("script", "run_script", str(program))
    (result,) = guest.frames()
    assert result["forms"] == {"text/plain": "a figure", "image/png": "p" * 500_000}
    code, out, err = guest.end()
    assert (code, out) == (0, "all\n")
    assert err == "figure 2 cannot be drawn: ZeroDivisionError: division by zero\n"
