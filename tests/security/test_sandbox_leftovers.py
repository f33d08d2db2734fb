"""Nothing of a run outlives it, however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from sandbox_rig import OK, Sandbox, children, control_groups, mounts, open_files, processes_with, real_sandbox

SLEEPER = (
    "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '{marker}'], "
)
SLEEPER += "start_new_session=True, stdout=subprocess.DEVNULL)\n"


WARM_FILES = 12  # a zygote's line, and of each sandbox that it keeps ready its line and its pidfd


async def until(condition: Callable[[], bool], seconds: float = 3.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.02)


@pytest.fixture
def marker() -> str:
    return f"marker-{uuid.uuid4().hex}"


async def test_a_daemon_does_not_survive_its_run(sandbox: Sandbox, marker: str) -> None:
    code = SLEEPER.format(marker=marker) + (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        f"        os.execv(sys.executable, [sys.executable, '-c', 'import time; time.sleep(600)', '{marker}'])\n"
        "    os._exit(0)\n"
        "time.sleep(0.3)\nprint('left two behind')"
    )
    run = asyncio.create_task(sandbox.run(code))
    await until(lambda: len(processes_with(marker)) == 2)  # the scan does see them while they live
    ran = await run
    assert ran.end.status == OK
    assert ran.text == "left two behind\n"
    assert processes_with(marker) == []
    await until(lambda: not control_groups())


async def test_cancelling_kills_the_tree(sandbox: Sandbox, marker: str) -> None:
    call = sandbox.start(SLEEPER.format(marker=marker) + "print('up')\nwhile True: pass", wall_ms=30_000)
    assert (await call.read()).HasField("started")
    assert (await call.read()).stdout.startswith(b"up")
    assert processes_with(marker)
    call.cancel()
    await until(lambda: not processes_with(marker) and not control_groups() and not children(), 1.5)


async def test_cancelling_a_flood_that_nobody_reads_kills_it(sandbox: Sandbox, marker: str) -> None:
    code = SLEEPER.format(marker=marker) + "while True: print('x' * 10_000)"
    call = sandbox.start(code, wall_ms=30_000, output_bytes=8 << 20)
    assert (await call.read()).HasField("started")
    await until(lambda: bool(processes_with(marker)))
    await asyncio.sleep(0.5)
    call.cancel()
    await until(lambda: not processes_with(marker) and not control_groups() and not children(), 1.5)


@pytest.mark.parametrize("delay_ms", [0, 2, 5, 10, 15, 20, 25, 30, 40])
async def test_cancelling_at_any_moment_leaves_nothing(sandbox: Sandbox, delay_ms: int) -> None:
    before = open_files() + WARM_FILES
    calls = [sandbox.start("import time; time.sleep(20)") for _ in range(6)]  # two of them wait for a place
    await asyncio.sleep(delay_ms / 1000)
    for call in calls:
        call.cancel()
    await until(lambda: not children() and not control_groups())
    assert await sandbox.says("print('free')") == "free"
    await until(lambda: open_files() <= before)


async def test_a_deadline_kills_the_tree(sandbox: Sandbox, marker: str) -> None:
    request = sandbox.start(SLEEPER.format(marker=marker) + "while True: pass", wall_ms=30_000)
    await until(lambda: bool(processes_with(marker)))
    request.cancel()
    await until(lambda: not processes_with(marker) and not children())


async def test_stopping_the_service_kills_what_runs(marker: str) -> None:
    async with real_sandbox() as sandbox:
        call = sandbox.start(SLEEPER.format(marker=marker) + "while True: pass", wall_ms=30_000)
        await until(lambda: bool(processes_with(marker)))
    assert processes_with(marker) == []
    assert not any(f"nexus-sandbox-{os.getpid()}" in folder for folder, *_ in os.walk("/sys/fs/cgroup"))
    assert psutil.Process().children() == []
    call.cancel()


async def test_fifty_runs_leave_nothing(sandbox: Sandbox) -> None:
    await sandbox.run("print(1)")
    folder = set(Path(tempfile.gettempdir()).iterdir())
    files, mounted = open_files() + WARM_FILES, mounts()
    for _ in range(5):
        ran = await asyncio.gather(*(sandbox.run(f"open('/work/{n}', 'w'); print({n})") for n in range(10)))
        assert [int(r.text) for r in ran] == list(range(10))
    await until(lambda: not children() and not control_groups())
    assert mounts() == mounted
    await until(lambda: open_files() <= files)
    assert not [path for path in set(Path(tempfile.gettempdir()).iterdir()) - folder if "nexus" in path.name]


SERVER = """
import asyncio, sys
sys.path[:0] = {paths!r}
from sandbox_rig import real_sandbox
async def main():
    async with real_sandbox() as sandbox:
        call = sandbox.start({code!r}, wall_ms=60_000)
        async for event in call:
            print(event, flush=True)
asyncio.run(main())
"""


async def test_a_killed_service_takes_its_runs_along(marker: str) -> None:
    paths = [str(path) for path in Path(__file__).parents[:3]]
    code = SLEEPER.format(marker=marker) + "print('up')\nwhile True: pass"
    service = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVER.format(paths=paths, code=code), stdout=asyncio.subprocess.PIPE
    )
    try:
        await until(lambda: len(processes_with(marker)) >= 2, 15)  # the service itself has it in its arguments
        started = [p.pid for p in psutil.Process(service.pid).children(recursive=True)]
        assert started
    finally:
        service.send_signal(signal.SIGKILL)
        await service.communicate()
    await until(lambda: not processes_with(marker))
    await until(lambda: not any(psutil.pid_exists(pid) for pid in started))
    left = [p for p, *_ in os.walk("/sys/fs/cgroup") if f"nexus-sandbox-{service.pid}" in p]
    async with real_sandbox() as sandbox:  # the next service sweeps the empty groups of the dead one
        await sandbox.run("print(1)")
        assert not any(Path(p).exists() for p in left)
