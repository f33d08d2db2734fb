"""Programs that take without end are stopped, and the status says at which limit."""

from __future__ import annotations

import asyncio
import time

import pytest
from sandbox_rig import ERROR, MIB, OK, OUT_OF_MEMORY, OUTPUT_LIMIT, TIMEOUT, Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_an_infinite_loop_ends_at_the_wall_limit(sandbox: Sandbox) -> None:
    started = time.monotonic()
    ran = await sandbox.run("print('before')\nwhile True: pass", wall_ms=500)
    assert ran.end.status == TIMEOUT
    assert ran.text == "before\n"
    assert 0.45 < time.monotonic() - started < 3
    assert 0.4 < ran.end.wall_time.ToNanoseconds() / 1e9 < 2
    assert ran.end.cpu_time.ToNanoseconds() > 0.02e9
    assert (ran.end.exit_code, ran.end.signal) == (-1, 9)


async def test_a_memory_hog_is_killed_at_the_memory_limit(sandbox: Sandbox) -> None:
    ran = await sandbox.run("held = []\nwhile True: held.append(bytearray(8_000_000))", memory_bytes=64 * MIB)
    assert ran.end.status == OUT_OF_MEMORY
    assert 48 * MIB < ran.end.peak_memory_bytes < 80 * MIB


async def test_memory_of_children_and_files_counts_too(sandbox: Sandbox) -> None:
    tree = "import os, time\nfor _ in range(8):\n if os.fork() == 0:\n  b = b'x' * 20_000_000\n  time.sleep(5)\n"
    tree += "  os._exit(0)\n"
    ran = await sandbox.run(tree + "for _ in range(8): assert os.wait()[1] == 0", memory_bytes=64 * MIB)
    assert ran.end.status == OUT_OF_MEMORY
    files = "for n in range(3): open(['/work/a', '/tmp/b', '/dev/shm/c'][n], 'wb').write(b'x' * 40_000_000)"
    ran = await sandbox.run(files, memory_bytes=64 * MIB)
    assert ran.end.status == OUT_OF_MEMORY
    unnamed = "import os\nfd = os.memfd_create('m')\nwhile True: os.write(fd, b'x' * 1_000_000)"
    ran = await sandbox.run(unnamed, memory_bytes=48 * MIB)
    assert ran.end.status in (OUT_OF_MEMORY, ERROR)
    assert ran.end.exit_code != 0


async def test_a_fork_bomb_is_contained(sandbox: Sandbox) -> None:
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    bombs = sandbox.run(bomb, wall_ms=700)
    neighbour = asyncio.create_task(sandbox.run("print(6 * 7)"))
    assert (await bombs).end.status == TIMEOUT
    assert (await neighbour).text == "42\n"


async def test_processes_and_threads_are_limited(sandbox: Sandbox) -> None:
    forks = "import os, time\nn = 0\ntry:\n    while True:\n        if os.fork() == 0: time.sleep(30)\n        n += 1\n"
    assert await sandbox.says(forks + "except OSError: print(n)", processes=10) == "9"
    threads = "import threading, time\nn = 1\ntry:\n    while n < 50:\n        threading.Thread(target=time.sleep, "
    threads += "args=(30,), daemon=True).start(); n += 1\nexcept RuntimeError: pass\nprint(n)\nimport os; os._exit(0)"
    assert int(await sandbox.says(threads, processes=10)) <= 10


async def test_endless_output_is_cut_at_the_limit(sandbox: Sandbox) -> None:
    ran = await sandbox.run("while True: print('x' * 1000)", output_bytes=100_000)
    assert ran.end.status == OUTPUT_LIMIT
    assert ran.end.output_truncated
    assert len(ran.stdout) == 100_000


async def test_both_streams_share_the_output_limit(sandbox: Sandbox) -> None:
    both = "import sys\nwhile True: sys.stdout.write('o' * 500); sys.stderr.write('e' * 500)"
    ran = await sandbox.run(both, output_bytes=50_000)
    assert ran.end.status == OUTPUT_LIMIT
    assert len(ran.stdout) + len(ran.stderr) == 50_000


async def test_output_of_exactly_the_limit_is_whole(sandbox: Sandbox) -> None:
    ran = await sandbox.run("import sys; sys.stdout.write('x' * 70_000)", output_bytes=70_000)
    assert ran.end.status == OK
    assert not ran.end.output_truncated
    assert ran.stdout == b"x" * 70_000


async def test_no_chunk_is_larger_than_32_kib(sandbox: Sandbox) -> None:
    sizes = [len(e.stdout) async for e in sandbox.start("print('x' * 200_000)", output_bytes=MIB)]
    assert max(sizes) <= 32 << 10
    assert sum(sizes) == 200_001


async def test_a_slow_reader_slows_the_program_and_the_wall_limit_holds(sandbox: Sandbox) -> None:
    code = "import sys\nfor _ in range(7000): sys.stdout.write('x' * 1000)"
    call = sandbox.start(code, wall_ms=1000, output_bytes=8 * MIB)
    started = time.monotonic()
    assert (await call.read()).HasField("started")
    await asyncio.sleep(2.0)
    # The one who does not read holds no place: others run meanwhile, though four places are all there are.
    rest = [asyncio.create_task(sandbox.run("print(1)")) for _ in range(4)]
    assert all(ran.text == "1\n" for ran in await asyncio.gather(*rest))
    events = [event async for event in call]
    end = events[-1].finished
    assert end.status in (TIMEOUT, OK)
    assert end.wall_time.ToNanoseconds() < 1.6e9
    assert time.monotonic() - started < 6


async def test_the_workspace_is_limited_in_bytes_and_files(sandbox: Sandbox) -> None:
    code = "n = 0\nf = open('/work/big', 'wb', buffering=0)\ntry:\n    while True: n += f.write(b'x' * 1_000_000)\n"
    written = int(await sandbox.says(code + "except OSError: print(n)", memory_bytes=256 * MIB))
    assert 32 * MIB < written <= 64 * MIB
    files = "n = 0\ntry:\n    while True: open(f'/work/{n}', 'w').close(); n += 1\nexcept OSError: print(n)"
    assert 1000 < int(await sandbox.says(files)) <= 4096


async def test_disk_in_unnamed_places_is_limited_as_well(sandbox: Sandbox) -> None:
    code = (
        "for folder in ('/', '/program', '/etc', '/dev', '/usr', '/proc', '/root', '/home', '/var', '/sys'):\n"
        "    try: open(folder + '/x', 'w'); print('WRITABLE', folder)\n    except OSError: pass"
    )
    assert await sandbox.says(code) == ""


async def test_cpu_is_limited(sandbox: Sandbox) -> None:
    spin = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    ran = await sandbox.run(spin, wall_ms=1000)
    assert ran.end.cpu_time.ToNanoseconds() < 1.6e9
