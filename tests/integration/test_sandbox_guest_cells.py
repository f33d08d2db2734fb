"""The kernel of a session: one namespace, results in their forms, and interrupts that end a cell and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.guest_rig import Guest


@pytest.fixture(scope="module")
def kernel() -> Iterator[Guest]:
    guest = Guest("cells", "serve_cells")
    yield guest
    guest.end()


@pytest.fixture
def own_kernel() -> Iterator[Guest]:
    guest = Guest("cells", "serve_cells")
    yield guest
    guest.process.kill()
    guest.end()


def test_variables_and_the_event_loop_survive(kernel: Guest) -> None:
    assert kernel.cell("x = 20")[0]["status"] == "ok"
    assert kernel.cell("x + 1")[1] == [{"text/plain": "21"}]
    kernel.cell("async def f(): return 'late'\nimport asyncio\ntask = asyncio.create_task(f())\nawait asyncio.sleep(0)")
    assert kernel.cell("await task")[1] == [{"text/plain": "'late'"}]


def test_values_come_in_their_forms(kernel: Guest) -> None:
    kernel.cell(
        "class Rich:\n"
        "    def __repr__(self): return 'rich'\n"
        "    def _repr_html_(self): return '<b>é</b>'\n"
        "    def _repr_png_(self): return b'png'\n"
    )
    assert kernel.cell("Rich()")[1] == [{"text/plain": "rich", "text/html": "<b>é</b>", "image/png": "png"}]
    assert kernel.cell("Rich")[1] == [{"text/plain": "<class '__main__.Rich'>"}]
    assert kernel.cell("{'a': [1]}")[1] == [{"text/plain": "{'a': [1]}", "application/json": '{"a": [1]}'}]
    assert kernel.cell("[float('nan')]")[1] == [{"text/plain": "[nan]"}]
    assert kernel.cell("display(1, '2')\nNone")[1] == [{"text/plain": "1"}, {"text/plain": "'2'"}]


def test_what_is_too_large_is_left_out_and_said(kernel: Guest) -> None:
    kernel.cell("class Huge:\n    def __repr__(self): return 'huge'\n    def _repr_html_(self): return 'h' * 800_000")
    assert kernel.cell("Huge()")[1] == [{"text/plain": "huge\n[text/html of 800000 bytes left out: too large]"}]
    (text,) = kernel.cell("'t' * 100_000")[1]
    assert text["text/plain"].endswith("[34466 characters left out]")


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("1 / 0", "ZeroDivisionError"),
        ("x = (", "SyntaxError"),
        ("import sys\nsys.exit(3)", "SystemExit"),
        ("class Bad:\n    def __repr__(self): return nope\nBad()", "NameError"),
        ("class E(Exception):\n    def __str__(self): raise self\nraise E", "E"),
        ("exit()", ""),
    ],
)
def test_a_cell_that_fails_says_how_and_leaves_the_kernel(kernel: Guest, code: str, error: str) -> None:
    done, results = kernel.cell(code)
    assert (done["status"], done["error"], results) == ("error" if error else "ok", error, [])
    assert done["exit_code"] == {"SystemExit": 3, "": 0}.get(error, 1)
    assert kernel.cell("2")[1] == [{"text/plain": "2"}]


def test_tracebacks_show_the_cell_and_nothing_of_ours(own_kernel: Guest) -> None:
    own_kernel.cell("def f():\n    return nope")
    own_kernel.cell("print('before')\nf()")
    own_kernel.cell("x = (")
    _, out, err = own_kernel.end()
    assert out == "before\n"
    assert err.startswith('Traceback (most recent call last):\n  File "<cell 2>", line 2, in <module>\n    f()\n')
    assert "    return nope\n" in err
    assert "SyntaxError" in err
    assert "adapters/guest" not in err
    assert "ast.py" not in err


@pytest.mark.parametrize(
    "code",
    [
        "print('b', flush=True)\nwhile True: pass",
        "import time\nprint('b')\ntime.sleep(60)",
        "import asyncio\nprint('b')\nawait asyncio.sleep(60)",
        "class Slow:\n    def __repr__(self):\n        print('b')\n        while True: pass\nSlow()",
    ],
)
def test_an_interrupt_ends_the_cell_and_not_the_kernel(own_kernel: Guest, code: str) -> None:
    own_kernel.cell("kept = 5")
    done = own_kernel.cell_interrupted(code)
    assert (done["status"], done["error"]) == ("error", "interrupted")
    own_kernel.interrupt()
    assert own_kernel.cell("kept")[1] == [{"text/plain": "5"}]


def test_a_fork_that_leaves_its_cell_ends_and_sends_nothing(kernel: Guest) -> None:
    done, results = kernel.cell("import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\n'one'")
    assert (done["status"], results) == ("ok", [{"text/plain": "'one'"}])


def test_a_cell_that_ends_the_process_or_the_channel_ends_the_session(own_kernel: Guest) -> None:
    own_kernel.send("import os\nos.closerange(3, 100)\nf = open('/dev/null')")
    assert own_kernel.frames() == []
    assert own_kernel.end()[0] == 1
    other = Guest("cells", "serve_cells")
    other.send("import os\nos._exit(9)")
    assert other.frames() == []
    assert other.end()[0] == 9
