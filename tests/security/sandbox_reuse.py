"""What one run leaves for the next, and two of one organisation have of each other: nothing."""

from __future__ import annotations

import asyncio
import os
import secrets
import uuid

import psutil
from sandbox_rig import ERROR, OK, Sandbox, processes_with, refusal, until

INHERITED = """
import gc, os, resource, signal, sys
status = dict(l.split(':', 1) for l in open('/proc/self/status') if ':' in l)
print(sorted(os.environ.items()), oct(os.umask(0)), os.getcwd(), os.nice(0), sorted(os.sched_getaffinity(0)))
asked = ('SigQ', 'SigPnd', 'SigBlk', 'SigIgn', 'SigCgt', 'NoNewPrivs', 'Seccomp', 'Seccomp_filters')
print({k: status[k].strip() for k in asked})
print([resource.getrlimit(n) for n in range(16)], os.getpgid(0) == os.getsid(0) == os.getpid())
print([os.listdir(d) for d in ('/work', '/tmp', '/dev/shm', '/program')], sorted(os.listdir('/proc/self/fd')), sys.argv)
print(len(sys.modules), len(sys.path), gc.isenabled(), sys.getrecursionlimit())
"""
SPOIL = """
import os, resource, signal, sys, gc
os.environ.update(PATH='/evil', SECRET='{marker}'); os.umask(0o777); os.nice(19); os.sched_setaffinity(0, [0])
for n in range(1, 32):
    try: signal.signal(n, signal.SIG_IGN)
    except OSError: pass
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64))
for n in (7, 1, 3): resource.setrlimit(n, (20, 20))
for d in ('/work', '/tmp', '/dev/shm'): open(d + '/left', 'w').write('{marker}')
import builtins; builtins.print = None; sys.modules['json'] = None; gc.disable(); sys.setrecursionlimit(50)
held = ['{marker}' * 1000, sys.stdin.read()]
"""
SEARCH = """
import sys
first, second = (bytes.fromhex(line) for line in sys.stdin.read().split())
def places():
    found = 0
    with open('/proc/self/mem', 'rb', 0) as memory:
        for line in open('/proc/self/maps'):
            span, mode, rest = line.split(maxsplit=2)
            if mode[0] != 'r' or 'vvar' in rest or 'vsyscall' in rest: continue
            start, end = (int(x, 16) for x in span.split('-'))
            memory.seek(start)
            try: part = memory.read(end - start)
            except (OSError, ValueError, OverflowError): continue
            at = part.find(first)
            while at >= 0:
                found += part[at + 8:at + 16] == second
                at = part.find(first, at + 1)
            del part
    return found
before = places()
kept = bytearray(first); kept += second
print(before, places() > before)
"""


async def nothing_of_an_earlier_run_is_inherited(sandbox: Sandbox) -> None:
    fresh = await sandbox.says(INHERITED)
    for _ in range(6):
        spoilt = await sandbox.run(SPOIL.format(marker="x"), processes=7, memory_bytes=48 << 20, wall_ms=900)
        assert spoilt.end.status == OK, spoilt.stderr
    for _ in range(6):
        assert await sandbox.says(INHERITED) == fresh


async def the_memory_of_a_program_holds_nothing_of_earlier_ones(sandbox: Sandbox) -> None:
    first, second = (secrets.token_bytes(4).hex() for _ in range(2))
    marker = first + second
    for _ in range(3):
        ran = await sandbox.run(SPOIL.format(marker=marker), marker.encode() * 1000, files={marker: marker.encode()})
        assert ran.end.status == OK, ran.stderr
    async with sandbox.opened() as session:
        await session.says(f"held = '{marker}' * 1000")
        await session.write(marker, marker.encode() * 1000)
        halves = f"{first.encode().hex()} {second.encode().hex()}".encode()
        # More than are kept ready: the last of them were forked after all of that.
        assert [await sandbox.says(SEARCH, halves) for _ in range(7)] == ["0 True"] * 7
        assert await sandbox.of("org-elsewhere").says(SEARCH, halves) == "0 True"


async def siblings_of_an_organisation_do_not_meet(sandbox: Sandbox) -> None:
    name = uuid.uuid4().hex
    listen = f"""
import os, socket, threading
s = socket.socket(socket.AF_UNIX); s.bind('\\0{name}'); s.listen()
d = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); d.bind('\\0{name}d')
p = socket.socket(socket.AF_UNIX); p.bind('/tmp/{name}'); p.listen()
os.mkfifo('/tmp/fifo'); open('/dev/shm/{name}', 'w').write('NEVER')
"""
    reach = f"""
import os, socket
for address, kind in (('\\0{name}', 1), ('\\0{name}d', 2), ('/tmp/{name}', 1)):
    try: socket.socket(socket.AF_UNIX, kind).connect(address); print('REACHED', address)
    except OSError as e: pass
others = [p for p in os.listdir('/proc') if p.isdigit() and p != str(os.getpid())]
print(os.listdir('/tmp'), os.listdir('/dev/shm'), others)
for pid in range(2, 300):
    if pid != os.getpid():
        try: os.kill(pid, 9); print('KILLED', pid)
        except OSError: pass
"""
    async with sandbox.opened() as one, sandbox.opened() as two:
        await one.says(listen)
        assert await two.says(reach) == "[] [] []"
        assert await sandbox.says(reach) == "[] [] []"
        assert await one.says("print('alive')") == "alive"


async def the_host_s_processes_lie_beneath_and_out_of_reach(sandbox: Sandbox) -> None:
    code = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
own = {'self', 'thread-self', str(os.getpid())}
seen = set()
def look(folder, how):
    try: seen.update((how, name) for name in os.listdir(folder) if name not in own)
    except OSError: pass
for path in ('/proc', '/proc/.', '/proc/../proc', '/proc/self/root/proc', '/proc/self/cwd/../proc', '//proc//'):
    look(path, path)
for flags in (0, 0o10000000, 0o200000, 0o10200000):
    for path in ('/', '/proc', '/proc/self', '/proc/self/root'):
        try: fd = os.open(path, flags)
        except OSError: continue
        for up in ('.', '..', 'proc', '../proc', 'proc/..', '../../proc'):
            look(f'/proc/self/fd/{fd}/{up}', (path, up))
            try: look(os.open(up, os.O_RDONLY, dir_fd=fd), (path, up, 'at'))
            except OSError: pass
            for resolve in (0, 1, 2, 8, 16, 24):  # NO_XDEV NO_MAGICLINKS BENEATH IN_ROOT
                how = (ctypes.c_uint64 * 3)(0, 0, resolve)
                inner = libc.syscall(ctypes.c_long(437), fd, up.encode(), how, 24)
                if inner >= 0: look(inner, (path, up, resolve))
        try: os.fchdir(fd); look('..', 'fchdir'); look('proc', 'fchdir')
        except OSError: pass
hosts = ('sys', 'kcore', 'meminfo', 'sysrq-trigger')
print(sorted({name for how, name in seen if name.isdigit() or name in hosts}))
mounts = [line.split()[4] for line in open('/proc/self/mountinfo')]
print(mounts.count('/proc'))
"""
    numbers, covered = (await sandbox.says(code)).splitlines()
    assert numbers == "[]"
    assert covered == "3"  # all are there: the host's, read-only, that of PID 1, and the sandbox's own above them


async def callers_of_a_program_tell_nothing_of_the_host_s_folders(sandbox: Sandbox) -> None:
    code = """
import sys
frame, seen = sys._getframe(), []
while frame: seen += list(frame.f_locals.values()); frame = frame.f_back
seen += [getattr(value, '_blueprint', None) for value in seen]
blueprints = [value for value in seen if hasattr(value, 'masks')]
print(len(blueprints) > 0, [b.binds or b.masks or b.links for b in blueprints if b.binds or b.masks or b.links])
print([value for value in seen if isinstance(value, dict) and 'binds' in value])
"""
    assert (await sandbox.says(code)).splitlines() == ["True []", "[]"]


async def runs_outlive_their_zygote_and_the_next_gets_another(sandbox: Sandbox) -> None:
    async with sandbox.opened() as session:
        await session.says("x = 5")
        call = sandbox.start("print('up', flush=True); input(); print('on')", b"\n", wall_ms=9_000)
        running = asyncio.create_task(_rest(sandbox.start("import time; print('up'); time.sleep(.5); print('on')")))
        assert (await call.read()).HasField("started")
        for zygote in psutil.Process().children():
            if any("launcher.zygote" in word for word in zygote.cmdline()):
                zygote.kill()
        assert await session.says("print(x)") == "5"
        assert await session.write("f", b"x") == 1
        assert (await running).splitlines() == [b"up", b"on"]
        call.cancel()
        assert await sandbox.says("print('next')") == "next"
        results = await asyncio.gather(*(sandbox.says(f"print({n})") for n in range(8)))
        assert results == [str(n) for n in range(8)]
        assert await session.says("print(x)") == "5"


async def _rest(call: object) -> bytes:
    return b"".join([event.stdout async for event in call])  # type: ignore[attr-defined]


async def a_killed_first_process_ends_its_sandbox_honestly(sandbox: Sandbox) -> None:
    marker = f"marker-{uuid.uuid4().hex}"
    start = "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', "
    start += f"'{marker}'])\n"

    async def kill_first() -> None:
        await until(lambda: bool(processes_with(marker)), 5)
        first = psutil.Process(processes_with(marker)[0]).parents()[1]
        first.kill()

    killing = asyncio.create_task(kill_first())
    ran = await sandbox.run(start + "import time; time.sleep(30)", wall_ms=20_000)
    await killing
    assert (ran.end.status, ran.end.exit_code, ran.end.signal) == (ERROR, -1, 9)
    async with sandbox.opened() as session:
        killing = asyncio.create_task(kill_first())
        ran = await session.cell(start + "import time; time.sleep(30)")
        await killing
        assert ran.closed
        assert ran.end.status == ERROR
        assert await refusal(session.listing()) == "SESSION_UNKNOWN"
    assert processes_with(marker) == []
    assert os.getpid() == psutil.Process().pid


REUSES = (
    nothing_of_an_earlier_run_is_inherited,
    the_memory_of_a_program_holds_nothing_of_earlier_ones,
    siblings_of_an_organisation_do_not_meet,
    the_host_s_processes_lie_beneath_and_out_of_reach,
    callers_of_a_program_tell_nothing_of_the_host_s_folders,
    runs_outlive_their_zygote_and_the_next_gets_another,
    a_killed_first_process_ends_its_sandbox_honestly,
)
