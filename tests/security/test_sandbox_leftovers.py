"""Nothing of a run outlives it, however it ends."""

from __future__ import annotations

import asyncio
import random
import tempfile
import uuid
from pathlib import Path

import pytest
from sandbox_rig import OK, Sandbox, children, control_groups, mounts, open_files, processes_with, until

pytestmark = pytest.mark.asyncio(loop_scope="module")

SLEEPER = (
    "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '{marker}'], "
)
SLEEPER += "start_new_session=True, stdout=subprocess.DEVNULL)\n"


CANCELS = 1_000
WARM_FILES = (
    24  # a zygote's line, and of each sandbox that it keeps ready its line and its pidfd, for two organisations
)


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
    await until(lambda: bool(processes_with(marker)))
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


async def test_a_thousand_cancels_at_random_moments_leave_nothing(sandbox: Sandbox) -> None:
    await asyncio.gather(*(sandbox.says(f"print({n})") for n in range(8)))
    chance = random.Random(5)  # noqa: S311  the same moments each time
    before = open_files() + WARM_FILES
    hard = ("import time; time.sleep(20)", "import os\nwhile True: os.fork()", "while True: print('x' * 999)")

    async def cancel_one(number: int) -> None:
        org = sandbox if number % 2 else other
        call = org.start(chance.choice(hard), wall_ms=20_000, processes=8)
        await asyncio.sleep(chance.choice((0.0, 0.001, 0.003, 0.01)) * chance.random())
        call.cancel()

    other = sandbox.of("org-b")
    for _ in range(CANCELS // 20):
        await asyncio.gather(*(cancel_one(number) for number in range(20)))
    await until(lambda: not children() and not control_groups())
    assert [await one.says("print('free')") for one in (sandbox, other)] == ["free", "free"]
    await until(lambda: open_files() <= before)
    held = await asyncio.gather(*(sandbox.says("import time; time.sleep(.05); print(1)") for _ in range(12)))
    assert held == ["1"] * 12  # every place is free again


async def test_a_hundred_cancelled_cells_leave_the_session_alive(sandbox: Sandbox) -> None:
    chance = random.Random(7)  # noqa: S311  the same moments each time
    async with sandbox.opened() as session:
        await session.says("kept = 42")
        for _ in range(100):
            call = session.start("import time\nwhile True: time.sleep(.001)")
            await asyncio.sleep(chance.random() * 0.01)
            call.cancel()
        assert await session.says("print(kept)") == "42"
    await until(lambda: not children())


async def test_a_deadline_kills_the_tree(sandbox: Sandbox, marker: str) -> None:
    request = sandbox.start(SLEEPER.format(marker=marker) + "while True: pass", wall_ms=30_000)
    await until(lambda: bool(processes_with(marker)))
    request.cancel()
    await until(lambda: not processes_with(marker) and not children())


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
    assert not [path for path in set(Path(tempfile.gettempdir()).iterdir()) - folder if "nexus-sandbox" in path.name]
