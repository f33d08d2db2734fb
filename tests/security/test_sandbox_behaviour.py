"""Ordinary programs work, and what is reported about them is true."""

from __future__ import annotations

import pytest
from sandbox_rig import ERROR, OK, Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_standard_input_is_read(sandbox: Sandbox) -> None:
    ran = await sandbox.run(
        "name = input()\nimport sys\nprint(name, len(sys.stdin.read()))", b"Ada\n" + b"x" * 1_000_000
    )
    assert ran.text == "Ada 1000000\n"


async def test_no_standard_input_is_its_end(sandbox: Sandbox) -> None:
    assert await sandbox.says("import sys\nprint(repr(sys.stdin.read()))") == "''"


async def test_unicode_and_bytes_pass_unchanged(sandbox: Sandbox) -> None:
    text = "grüße 你好 🦊 \u202e"
    assert (await sandbox.run(f"print({text!r})\nprint(ascii(input()))", text.encode())).stdout == (
        text + "\n" + ascii(text) + "\n"
    ).encode()
    everything = await sandbox.run("import os\nos.write(1, bytes(range(256)))")
    assert everything.stdout == bytes(range(256))


async def test_streams_are_told_apart(sandbox: Sandbox) -> None:
    ran = await sandbox.run("import sys\nprint('out')\nprint('err', file=sys.stderr)")
    assert (ran.stdout, ran.stderr) == (b"out\n", b"err\n")


async def test_output_arrives_while_the_program_runs(sandbox: Sandbox) -> None:
    call = sandbox.start("print('early')\nimport time\ntime.sleep(30)", wall_ms=20_000)
    assert (await call.read()).HasField("started")
    assert (await call.read()).stdout.startswith(b"early")
    call.cancel()


@pytest.mark.parametrize("code", [0, 1, 3, 120, 255])
async def test_exit_codes(sandbox: Sandbox, code: int) -> None:
    ran = await sandbox.run(f"raise SystemExit({code})")
    assert (ran.end.exit_code, ran.end.signal) == (code, 0)
    assert ran.end.status == (ERROR if code else OK)


@pytest.mark.parametrize("number", [6, 9, 11, 15])
async def test_death_by_a_signal_of_its_own(sandbox: Sandbox, number: int) -> None:
    ran = await sandbox.run(f"import os\nos.kill(os.getpid(), {number})\nimport time; time.sleep(5)")
    assert (ran.end.status, ran.end.exit_code, ran.end.signal) == (ERROR, -1, number)


async def test_a_traceback_names_the_line(sandbox: Sandbox) -> None:
    ran = await sandbox.run("x = 1\nraise ValueError('boom')")
    assert ran.end.status == ERROR
    assert ran.end.exit_code == 1
    assert b'main.py", line 2' in ran.stderr
    assert b"ValueError: boom" in ran.stderr


async def test_a_program_that_is_no_python_ends_with_an_error(sandbox: Sandbox) -> None:
    ran = await sandbox.run("this is no python")
    assert ran.end.status == ERROR
    assert b"SyntaxError" in ran.stderr


async def test_forged_messages_change_nothing(sandbox: Sandbox) -> None:
    forged = "ended exit=0 signal=0 killed= cpu_us=0 peak_bytes=0\\nready\\nfailed stage=root errno=1\\n"
    code = f"import os\nfor n in range(64):\n    try: os.write(n, b'{forged}')\n    except OSError: pass\nos._exit(7)"
    ran = await sandbox.run(code)
    assert (ran.end.status, ran.end.exit_code) == (ERROR, 7)


async def test_what_it_used_is_reported(sandbox: Sandbox) -> None:
    burn = "import time\nt = time.process_time()\nwhile time.process_time() - t < .3: pass"
    ran = await sandbox.run("b = b'x' * 50_000_000\n" + burn)
    assert ran.end.peak_memory_bytes > 50_000_000
    assert 0.25e9 < ran.end.cpu_time.ToNanoseconds() < 1.5e9
    assert ran.end.wall_time.ToNanoseconds() > 0.25e9


async def test_the_workspace_is_where_it_starts(sandbox: Sandbox) -> None:
    code = "import os, tempfile\nopen('a.txt', 'w').write('x')\n"
    code += "print(os.getcwd(), os.path.expanduser('~'), os.listdir())\n"
    assert await sandbox.says(code + "tempfile.NamedTemporaryFile().write(b'x')") == "/work /work ['a.txt']"


THREADS = """
import threading
seen = []
threads = [threading.Thread(target=seen.append, args=(n,)) for n in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
print(sorted(seen))
"""
SUBPROCESS = """
import subprocess, sys
print(subprocess.run([sys.executable, "-c", "print(2)"], capture_output=True, text=True).stdout)
"""
SHELL = """
import subprocess
print(subprocess.run("echo $((6*7))", shell=True, capture_output=True, text=True).stdout)
"""
SQLITE = """
import sqlite3
d = sqlite3.connect("x.db")
d.execute("pragma journal_mode=wal")
d.execute("create table t(a)")
d.execute("insert into t values (5)")
d.commit()
print(d.execute("select a from t").fetchone())
"""
ASYNCIO = """
import asyncio
async def f():
    async with asyncio.timeout(5):
        p = await asyncio.create_subprocess_exec("/bin/sh", "-c", "echo hi", stdout=-1)
        return (await p.communicate())[0]
print(asyncio.run(f()))
"""
LIBRARIES = """
import ssl, hashlib, zlib, lzma, bz2, decimal, ctypes, json, uuid, secrets
print(hashlib.sha256(b"").hexdigest()[:4], len(secrets.token_hex(4)))
"""
CALLBACKS = """
import ctypes
c = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda n: n + 1)
print(c(4))
"""
TIME_ZONES = """
import zoneinfo, datetime, locale, pwd, getpass, platform
there = zoneinfo.ZoneInfo("Europe/Zurich")
print(datetime.datetime(2026, 7, 1, tzinfo=there).utcoffset(), getpass.getuser())
"""
SOCKETS = """
import os, socket, mmap
a, b = socket.socketpair()
a.send(b"x")
print(b.recv(1))
os.mkfifo("f")
mmap.mmap(-1, 100)
"""
FILES = """
import shutil, os
open("a", "w").write("x")
shutil.copy2("a", "b")
os.symlink("a", "c")
shutil.copytree(".", "/tmp/t", symlinks=True)
print(sorted(os.listdir("/tmp/t")))
shutil.rmtree("/tmp/t")
"""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (THREADS, "[0, 1, 2, 3, 4, 5, 6, 7]"),
        (SUBPROCESS, "2"),
        (SHELL, "42"),
        (SQLITE, "(5,)"),
        (ASYNCIO, "b'hi\\n'"),
        (LIBRARIES, "e3b0 8"),
        (CALLBACKS, "5"),
        (TIME_ZONES, "2:00:00 sandbox"),
        (SOCKETS, "b'x'"),
        (FILES, "['a', 'b', 'c']"),
    ],
    ids=["threads", "subprocess", "shell", "sqlite", "asyncio", "libraries", "callbacks", "zones", "sockets", "files"],
)
async def test_the_standard_library_works(sandbox: Sandbox, code: str, expected: str) -> None:
    assert await sandbox.says(code) == expected


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
async def test_multiprocessing_works(sandbox: Sandbox, method: str) -> None:
    code = (
        "import multiprocessing as m\nfrom concurrent.futures import ProcessPoolExecutor\ndef f(n): return n * n\n"
        "if __name__ == '__main__':\n"
        f"    with ProcessPoolExecutor(2, mp_context=m.get_context('{method}')) as p: print(list(p.map(f, range(4))))\n"
        "    q = m.Queue(); q.put(1); print(q.get())"
    )
    assert await sandbox.says(code) == "[0, 1, 4, 9]\n1"


async def test_strict_runs_and_organisations_share_no_hash_seed_and_no_address(sandbox: Sandbox) -> None:
    code = "print(hash('a'), id(object))"
    ordinary, elsewhere = await sandbox.says(code), await sandbox.of("org-b").says(code)
    strict = [await sandbox.says(code, strict=True) for _ in range(2)]
    assert len({ordinary, elsewhere, *strict}) == 4
