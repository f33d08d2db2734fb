"""What ends with the service, however that ends; each test has a service of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import uuid
from pathlib import Path

import psutil
import pytest
from sandbox_rig import processes_with, real_sandbox, until

SLEEPER = (
    "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '{marker}'], "
    "start_new_session=True, stdout=subprocess.DEVNULL)\n"
)


@pytest.fixture
def marker() -> str:
    return f"marker-{uuid.uuid4().hex}"


async def test_stopping_the_service_kills_what_runs(marker: str) -> None:
    async with real_sandbox() as sandbox:
        call = sandbox.start(SLEEPER.format(marker=marker) + "while True: pass", wall_ms=30_000)
        await until(lambda: bool(processes_with(marker)))
    assert processes_with(marker) == []
    assert not any(f"nexus-sandbox-{os.getpid()}" in folder for folder, *_ in os.walk("/sys/fs/cgroup"))
    assert psutil.Process().children() == []
    call.cancel()


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
