"""Programs that take all they can, and leave all they can; each is stopped, and the place it had is free again."""

from __future__ import annotations

import asyncio
import time

from sandbox_rig import ERROR, MIB, OK, OUT_OF_MEMORY, OUTPUT_LIMIT, POLICY, TIMEOUT, Sandbox, children, until

LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
MEMORY = {
    "private": "held = []\nwhile True: held.append(bytearray(4_000_000)); time.sleep(.002)",
    "shared": "held = []\nfor n in range(60):\n m = mmap.mmap(-1, 4 * M); m.write(b'x' * 4 * M)\n"
    " held.append(m); time.sleep(.004)",
    "shared and let go of": "held = []\nfor n in range(60):\n m = mmap.mmap(-1, 4 * M); m.write(b'x' * 4 * M)\n"
    " m.madvise(mmap.MADV_DONTNEED); held.append(m); time.sleep(.004)",
    "of zeros": "held = []\nfor n in range(60):\n m = mmap.mmap(os.open('/dev/zero', os.O_RDWR), 4 * M)\n"
    " m.write(b'x' * 4 * M)\n"
    " m.madvise(mmap.MADV_DONTNEED); held.append(m); time.sleep(.004)",
    "without a name": "f = os.memfd_create('m')\nfor _ in range(60): os.write(f, b'x' * 4 * M); time.sleep(.004)",
    "in files": "for n in range(15):\n for d in ('/work', '/tmp', '/dev/shm'):\n"
    "  open(f'{d}/{n}', 'wb').write(b'x' * 4 * M); time.sleep(.004)",
    "in files that are gone": "held = []\nfor n in range(15):\n for d in ('/work', '/tmp', '/dev/shm'):\n"
    "  f = open(f'{d}/{n}', 'wb'); os.unlink(f.name); f.write(b'x' * 4 * M); f.flush()\n"
    "  held.append(f); time.sleep(.004)",
    "of children that hide": "import ctypes\nhide = lambda: ctypes.CDLL(None).prctl(4, 0, 0, 0, 0)\nhide()\n"
    "for _ in range(12):\n if os.fork() == 0:\n  hide(); b = b'x' * 16 * M; time.sleep(9)\n time.sleep(.01)\n"
    "for _ in range(12): assert os.wait()[1] == 0",
    "of children": "for _ in range(12):\n if os.fork() == 0:\n  b = b'x' * 16 * M; time.sleep(9)\n time.sleep(.01)\n"
    "for _ in range(12): assert os.wait()[1] == 0",
}
ENDLESS = {
    "a loop": "while True: pass",
    "deaf": "import signal\nfor s in range(1, 65):\n try: signal.signal(s, signal.SIG_IGN)\n"
    " except (OSError, ValueError): pass\n"
    "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: time.sleep(9)",
    "forks": "while True:\n try: os.fork()\n except OSError: pass",
    "orphans": "while True:\n try:\n  if os.fork() == 0:\n   if os.fork() == 0: time.sleep(.01)\n   os._exit(0)\n"
    "  os.wait()\n except OSError: pass",
    "a family that stops itself": "import signal\nfor _ in range(4): os.fork()\nos.kill(0, signal.SIGSTOP)",
    "a fork of the parent's": LIBC + "while True: libc.syscall(56, 0x8000 | 17, 0, 0, 0, 0)",
    "threads": "import threading\nfor _ in range(500):\n try: threading.Thread(target=time.sleep, args=(60,)).start()\n"
    " except RuntimeError: time.sleep(.01)",
    "a hook that never ends": "import atexit, signal\natexit.register(lambda: [signal.pause() for _ in iter(int, 1)])",
}


async def memory_of_every_kind_is_counted(sandbox: Sandbox) -> None:
    async def one(name: str, code: str) -> None:
        ran = await sandbox.run(f"import mmap, os, time\nM = 1 << 20\n{code}\nprint('HELD')", memory_bytes=64 * MIB)
        assert b"HELD" not in ran.stdout, name
        # Some kinds are refused where no control group counts them, which ends the program with an error.
        assert ran.end.status in (OUT_OF_MEMORY, ERROR), (name, ran.end)
        assert ran.end.peak_memory_bytes < 200 * MIB, name

    await asyncio.gather(*(one(name, code) for name, code in MEMORY.items()))


async def what_never_ends_is_ended(sandbox: Sandbox) -> None:
    async def one(name: str, code: str) -> None:
        began_s = time.monotonic()
        ran = await sandbox.run(f"import os, time\n{code}", wall_ms=250, processes=48)
        assert ran.end.status == TIMEOUT, (name, ran.end)
        assert ran.end.wall_time.ToMilliseconds() < 2_500, name
        assert time.monotonic() - began_s < 20, name

    before = set(children())
    await asyncio.gather(*(one(name, code) for name, code in ENDLESS.items()))
    await until(lambda: set(children()) <= before)


async def processes_are_counted_zombies_too(sandbox: Sandbox) -> None:
    zombies = "import os, time\nn = 0\ntry:\n while n < 200:\n  if os.fork() == 0: os._exit(0)\n  n += 1\n"
    zombies += "except OSError: pass\nprint(n)"
    assert int(await sandbox.says(zombies, processes=20)) <= 20
    async with sandbox.opened(processes=20) as session:
        await session.cell(zombies)
        assert await session.says("while True:\n try: os.wait()\n except OSError: break\nprint('alive')") == "alive"
        # Orphans fall to PID 1, which collects them: they can be made without end, one after the other.
        orphans = "for _ in range(300):\n p = os.fork()\n if p == 0:\n  if os.fork() == 0: os._exit(0)\n"
        orphans += "  os._exit(0)\n os.waitpid(p, 0)"
        ran = await session.cell(orphans)
        assert ran.end.status == OK, ran.stderr
        assert not ran.closed


async def a_session_s_leftovers_go_with_it(sandbox: Sandbox) -> None:
    before = set(children())
    async with sandbox.opened() as session:
        await session.says(
            "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: time.sleep(600)\n os._exit(0)"
        )
        await until(lambda: len(set(children()) - before) == 3)  # with one that nobody has waited for
    await until(lambda: set(children()) <= before)


async def output_has_an_end_and_input_is_not_waited_for(sandbox: Sandbox) -> None:
    ran = await sandbox.run("import os\nwhile True: os.write(1, b'x' * 65536); os.write(2, b'y' * 65536)")
    assert ran.end.status == OUTPUT_LIMIT
    assert len(ran.stdout) + len(ran.stderr) == 256 << 10
    ran = await sandbox.run("raise SystemExit(4)", b"never read" * 100_000)
    assert (ran.end.status, ran.end.exit_code) == (ERROR, 4)
    ran = await sandbox.run("import os\nos.close(0); os.close(1); os.close(2); os.close(3)")
    assert ran.end.status == OK
    full = "import fcntl, os\nfcntl.fcntl(1, 1031, 1 << 20)\nos.set_blocking(1, False)\ntry:\n"
    full += " while True: os.write(1, b'x' * 4096)\n"
    ran = await sandbox.run(full + "except BlockingIOError: pass", output_bytes=4 << 20)
    assert ran.end.status in (OK, OUTPUT_LIMIT)


async def crashes_leave_no_dump(sandbox: Sandbox) -> None:
    crash = "import os, resource\nfor _ in range(3):\n if os.fork() == 0: os.chdir('/tmp'); os.abort()\n os.wait()\n"
    limit = "print(resource.getrlimit(resource.RLIMIT_CORE), os.listdir('/work'), os.listdir('/tmp'))"
    # 1, not 0: with 0 the kernel still starts the host's handler of core dumps, if it has one.
    assert await sandbox.says(crash + limit) == "(1, 1) [] []"


async def other_calling_conventions_are_deadly(sandbox: Sandbox) -> None:
    ran = await sandbox.run(LIBC + "libc.syscall(0x40000000 + 39)\nprint('alive')")
    assert (ran.end.status, ran.end.signal, ran.text) == (POLICY, 31, "")
    # mov eax, 20 (getpid of i386); int 0x80; ret
    i386 = (
        "import ctypes, mmap\nm = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=7)\n"
        "m.write(bytes.fromhex('b814000000cd80c3'))\n"
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\nprint('alive')"
    )
    ran = await sandbox.run(i386)
    assert (ran.end.status, ran.text) == (POLICY, "")
    assert ran.end.signal in (11, 31)


EXHAUSTIONS = (
    memory_of_every_kind_is_counted,
    what_never_ends_is_ended,
    processes_are_counted_zombies_too,
    a_session_s_leftovers_go_with_it,
    output_has_an_end_and_input_is_not_waited_for,
    crashes_leave_no_dump,
    other_calling_conventions_are_deadly,
)
