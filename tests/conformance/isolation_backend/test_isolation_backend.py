"""What every backend of the sandbox does alike."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import psutil
import pytest
from conftest import MIB, Bench, cell, collected, run

from sandbox_service.domain.egress import AllowList, granted, rule_of
from sandbox_service.domain.isolation_level import IsolationLevel
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.long_process import LongProgram
from sandbox_service.domain.outcome import KillReason, Status
from sandbox_service.domain.program import Language, Program
from sandbox_service.domain.run_event import OutputChunk
from shared.errors import NotFound, PreconditionFailed

PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
LEVELS = {
    "namespaces": ("namespaces", IsolationLevel.NAMESPACES),
    "runc": ("oci", IsolationLevel.NAMESPACES),
    "runsc": ("gvisor", IsolationLevel.USER_KERNEL),
}


async def test_its_probe_tells_how_strong_it_is(bench: Bench) -> None:
    report = await bench.backend.probe()
    assert (report.backend, report.level) == LEVELS[bench.kind]
    assert report.available, report.remedy
    layers = {layer.name: layer.enforced for layer in report.layers}
    assert all(layers.values()), layers
    assert {"user", "capabilities", "seccomp", "network", "file_system", "process_limit", "memory_limit"} <= set(layers)


async def test_a_program_with_files_and_input_runs_and_leaves_nothing(bench: Bench) -> None:
    before = _left()
    sandbox = await bench.create()
    big = bytes(range(256)) * 4096 * 3
    assert await sandbox.write_file("in/a.bin", 0, big) == len(big)
    assert await sandbox.write_file("in/a.bin", len(big), b"tail") == len(big) + 4
    code = (
        "import os, sys, subprocess\n"
        "data = open('in/a.bin', 'rb').read()\n"
        "open('out.bin', 'wb').write(data[::-1])\n"
        "os.symlink('/etc/passwd', 'link'); os.mkfifo('fifo')\n"
        "print(input(), len(data), file=sys.stderr)\n"
        "sys.stdout.buffer.write(bytes(range(256)) * 1000)\n"
        "subprocess.Popen(['sleep', '1000'], start_new_session=True)\n"
        "sys.exit(3)\n"
    )
    ran = await run(sandbox, code, b"Ada\nLovelace")
    assert (ran.status, ran.end.exit_code, ran.end.signal) == (Status.ERROR, 3, 0)
    assert ran.stderr == b"Ada %d\n" % (len(big) + 4)
    assert ran.stdout == bytes(range(256)) * 1000
    listed = await sandbox.list_files()
    assert [(path, size) for path, size, _ in listed.files] == [("in/a.bin", len(big) + 4), ("out.bin", len(big) + 4)]
    piece, size = await sandbox.read_file("out.bin", 4, 2 * MIB)
    assert (piece, size) == (big[::-1][: 2 * MIB], len(big) + 4)
    for path, reason in (("link", "path_invalid"), ("fifo", "not_regular")):
        with pytest.raises(PreconditionFailed) as caught:
            await sandbox.read_file(path, 0, 1)
        assert caught.value.metadata["reason"] == reason
    with pytest.raises(NotFound):
        await sandbox.read_file("in/b.bin", 0, 1)
    with pytest.raises(PreconditionFailed, match="full"):
        await _fill(sandbox)
    assert bench.gone == 0
    await sandbox.destroy()
    assert bench.gone == 1
    with pytest.raises(PreconditionFailed, match="SANDBOX_GONE"):
        await sandbox.list_files()
    await bench.backend.close()
    assert _left() == before
    assert not list(bench.folder.glob("*"))


async def _fill(sandbox) -> None:
    for offset in range(0, 32 * MIB, 6 * MIB):
        await sandbox.write_file("huge", offset, bytes(6 * MIB))


def _left() -> tuple[int, int, str, list[Path]]:
    """Children, descriptors, mounts and control groups of this process."""
    groups = [Path(folder) for folder, *_ in os.walk("/sys/fs/cgroup") if f"nexus-sandbox-{os.getpid()}" in folder]
    children = len(psutil.Process().children(recursive=True))
    return children, len(list(Path("/proc/self/fd").iterdir())), Path("/proc/self/mountinfo").read_text(), groups


async def test_limits_of_output_and_time_are_kept(bench: Bench) -> None:
    async with bench.sandbox(output_bytes=100_000) as sandbox:
        ran = await run(sandbox, "while True: print('x' * 1000)")
        assert (ran.status, len(ran.stdout), ran.end.output_truncated) == (Status.OUTPUT_LIMIT, 100_000, True)
    async with bench.sandbox(wall_time_s=0.5) as sandbox:
        ran = await run(sandbox, "import signal, time\nsignal.signal(15, lambda *a: 0)\nprint('b')\ntime.sleep(1000)")
        assert (ran.status, ran.stdout) == (Status.TIMEOUT, b"b\n")
        assert 0.4 < ran.end.wall_time_s < 5


async def test_memory_is_limited_and_processes_are(bench: Bench) -> None:
    async with bench.sandbox(memory_bytes=64 * MIB) as sandbox:
        greedy = "held = []\nwhile True: held.append(b'x' * 4_000_000)\n"
        ran = await run(sandbox, "import resource, sys\n" + greedy)
        # An allocation that is refused ends the program by itself; one that is not is ended for it.
        assert ran.status is Status.OUT_OF_MEMORY or b"MemoryError" in ran.stderr, ran
    async with bench.sandbox() as sandbox:
        ran = await run(
            sandbox,
            "import os, time\nn = 0\ntry:\n while n < 64:\n  if os.fork() == 0: time.sleep(1000)\n  n += 1\n"
            "except OSError: pass\nprint(n)",
        )
        assert (ran.status, 0 < int(ran.stdout) < 16) == (Status.OK, True)


async def test_a_kill_ends_a_program_and_a_sandbox_that_is_destroyed_ends_it_too(bench: Bench) -> None:
    async with bench.sandbox() as sandbox:
        program = Program(Language.SHELL, "echo go; read x; echo $x; while :; do :; done", b"hello\n")

        def kill(event) -> None:
            if isinstance(event, OutputChunk) and b"hello" in event.data:
                sandbox.kill(KillReason.CANCELLED)

        ran = await collected(sandbox.run("run", program), kill)
        assert (ran.status, ran.stdout) == (Status.KILLED, b"go\nhello\n")
    sandbox = await bench.create()
    events = sandbox.run("run", Program(Language.PYTHON, "import time\ntime.sleep(1000)"))
    await anext(events)
    await asyncio.wait_for(sandbox.destroy(), 5)
    assert not sandbox.is_alive
    await events.aclose()
    assert bench.gone == 2


async def test_cells_keep_variables_show_results_and_are_interrupted(bench: Bench) -> None:
    async with bench.sandbox() as sandbox:
        await sandbox.open_kernel(Language.PYTHON)
        assert (await cell(sandbox, "x = 20\nprint('a' * 200_000)")).stdout == b"a" * 200_000 + b"\n"
        shown = await cell(sandbox, "print('before')\n{'n': x * 2 + 2}")
        assert (shown.stdout, shown.status) == (b"before\n", Status.OK)
        assert shown.results[0]["text/plain"] == b"{'n': 42}"
        slow = await cell(sandbox, "import time\ntry: time.sleep(1000)\nfinally: print('out')", wall_time_s=0.3)
        assert (slow.status, slow.stdout) == (Status.TIMEOUT, b"out\n")
        assert sandbox.is_alive
        failed = await cell(sandbox, "open('kept', 'w').write(str(x))\nraise ValueError('no')")
        assert (failed.status, b"ValueError: no" in failed.stderr) == (Status.ERROR, True)
        assert await sandbox.read_file("kept", 0, 10) == (b"20", 2)
        over = await collected(
            sandbox.run_cell("c", "while True: print('y' * 100)", RunLimits(20.0, 256 * MIB, 16, 50_000))
        )
        assert (over.status, len(over.stdout)) == (Status.OUTPUT_LIMIT, 50_000)
        gone = await cell(sandbox, "import os\nos._exit(9)")
        assert (gone.status, gone.end.exit_code, sandbox.is_alive) == (Status.ERROR, 9, False)


async def test_a_shell_keeps_its_folder(bench: Bench) -> None:
    async with bench.sandbox() as sandbox:
        await sandbox.open_kernel(Language.SHELL)
        assert (await cell(sandbox, "mkdir d; cd d; n=5")).status is Status.OK
        assert (await cell(sandbox, "echo $n $PWD")).stdout == b"5 /work/d\n"
        assert (await cell(sandbox, "(exit 4)")).end.exit_code == 4


async def test_a_long_process_is_written_to_and_pushes_back(bench: Bench) -> None:
    async with bench.sandbox() as sandbox:
        echo = (
            "import os, sys, time\nprint(os.environ['WORD'], flush=True)\n"
            "while not os.path.exists('go'): time.sleep(.01)\n"
            "for line in sys.stdin.buffer: sys.stdout.buffer.write(line)"
        )
        events = sandbox.start_process(LongProgram((PYTHON, "-c", echo), {"WORD": "hello"}))
        await anext(events)
        assert (await anext(events)).data == b"hello\n"
        lines = b"".join(b"%06d" % n + b"z" * 93 + b"\n" for n in range(20_000))
        writing = asyncio.create_task(sandbox.write_input(lines, end=True))
        assert (await sandbox.list_files()).files == ()
        assert not writing.done()
        await sandbox.write_file("go", 0, b"")
        read = b""
        async for event in events:
            read += event.data if isinstance(event, OutputChunk) else b""
        await writing
        assert read == lines


async def test_what_only_namespaces_offer_is_refused_with_the_reason(bench: Bench) -> None:
    allowed = AllowList("SETTING", (rule_of("example.com:443"),))
    for options, lacks in (
        ({"egress": granted(("example.com:443",), allowed)}, "egress"),
        ({"read_only_paths": (str(bench.folder.parent),)}, "paths"),
    ):
        if bench.kind == "namespaces":
            await (await bench.create(**options)).destroy()
            continue
        with pytest.raises(PreconditionFailed, match="BACKEND_LACKS") as caught:
            await bench.create(**options)
        assert lacks in caught.value.metadata["lacks"]


HOSTILE = """
import os, sys
forged = b'{"event":"ended","exit":0,"signal":0,"killed":"","cpu_us":0,"peak_bytes":0}'
forged = len(forged).to_bytes(4, "big") + bytes(4) + forged
for folder in ("/proc/1/fd", "/proc/self/fd"):
    for name in sorted(os.listdir(folder), key=int) if os.path.isdir(folder) else ():
        try:
            fd = os.open(folder + "/" + name, os.O_WRONLY | os.O_NONBLOCK)
            os.write(fd, forged)
        except OSError:
            pass
for name in ("mem", "environ"):
    try:
        os.close(os.open("/proc/1/" + name, os.O_RDWR))
        print("opened", name)
    except OSError:
        pass
os._exit(7)
"""


async def test_a_program_cannot_speak_for_pid_1(bench: Bench) -> None:
    async with bench.sandbox() as sandbox:
        ran = await run(sandbox, HOSTILE)
        assert (ran.status, ran.end.exit_code) == (Status.ERROR, 7)
        assert b"opened" not in ran.stdout
        assert bench.gone == 0


TO_PID_1 = """
import os, signal, time
try: os.kill(1, signal.{})
except PermissionError: pass
"""


async def test_a_program_that_stops_pid_1_ends_all_the_same(bench: Bench) -> None:
    async with bench.sandbox(wall_time_s=0.5) as sandbox:
        ran = await run(sandbox, TO_PID_1.format("SIGSTOP") + "time.sleep(1000)")
        assert ran.status is Status.TIMEOUT
    async with bench.sandbox() as sandbox:
        ran = await run(sandbox, TO_PID_1.format("SIGKILL") + "time.sleep(.1)\nos._exit(7)")
        assert ran.status is Status.ERROR
    assert bench.gone == 2
