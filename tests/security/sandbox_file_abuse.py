"""Files that are not what they seem, and change while they are looked at."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

from sandbox_rig import OK, Sandbox, refusal

from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb

TRIES = 2_100
OUTSIDE = (b"sandbox:x:", b"root:", b"NEVER")
BAD_PATHS = (
    *("/etc/passwd", "/work/x", "..", ".", "../x", "a/../../x", "a/./b", "a//b", "a/", "./a", "\x00", "a\x00b"),
    *(
        "a\\..\\b",
        "..\\x",
        "a\nb",
        "a\x7fb",
        "a\rb",
        "\x1b[2J",
        "x" * 256,
        "a/" + "y" * 256,
        "ä" * 128,
        "d/" * 512 + "f",
    ),
)
ODD_PATHS = (
    "a\u202etxt.exe",
    "\uff0e\uff0e/x",
    "\u2025/x",
    "a\u2215b",
    "\u2024\u2024/etc",
    "~",
    "~root",
    "$HOME",
    "-rf",
    "*",
)
SPECIAL = """
import os, socket
os.mkdir('folder'); open('plain', 'w').write('plain')
os.symlink('/etc/passwd', 'link'); os.symlink('plain', 'near'); os.symlink('/etc', 'linked'); os.symlink('loop', 'loop')
os.symlink('/proc/self/root/etc/passwd', 'magic'); os.symlink('/proc/1/environ', 'first'); os.symlink('..', 'up')
os.link('plain', 'hard'); os.mkfifo('fifo'); open('secret', 'w').write('x'); os.chmod('secret', 0)
s = socket.socket(socket.AF_UNIX); s.bind('socket'); s.listen()
"""
KINDS = {
    **dict.fromkeys(("folder", "fifo", "socket"), "not_regular"),
    **dict.fromkeys(
        ("link", "near", "linked/passwd", "magic", "first", "up/etc/passwd", "loop"),
        "path_invalid",
    ),
    **dict.fromkeys(("hard", "plain"), "linked"),
    "secret": "not_permitted",
    "plain/x": "not_found",
}


async def paths_that_lead_out_are_refused(sandbox: Sandbox) -> None:
    async with sandbox.opened() as session:
        await session.says("import os; os.mkdir('d')")
        for path in BAD_PATHS:
            refused = {await refusal(session.write(path, b"NEVER")), await refusal(session.read(path))}
            assert refused <= {"PATH_INVALID", "REQUEST_INVALID"}, (path, refused)
        for path in ODD_PATHS:  # names like any other
            assert await session.write(path, b"x") == 1
            assert await session.read(path) == b"x"
        found = await session.says("import os; print(sorted(os.listdir('/')), os.listdir('/tmp'), os.listdir('d'))")
        assert found.endswith("] [] []")
    for path in BAD_PATHS:
        said = await refusal(sandbox.run("print(1)", files={path: b"NEVER"}))
        assert not said.startswith("WORKED"), path
    ran = await sandbox.run("print(1)", output_paths=("/etc/passwd", "../etc/passwd", "a\\b", "*" * 200, "nothing"))
    assert not ran.files
    assert {file.reason for file in ran.end.skipped_files} <= {"path_invalid", "not_found"}


async def what_is_no_plain_file_is_neither_given_nor_taken(sandbox: Sandbox) -> None:
    async with sandbox.opened() as session:
        await session.says(SPECIAL)
        for path in KINDS:
            began_s = time.monotonic()
            wanted = {"FILE_REFUSED", "FILE_NOT_FOUND"}
            assert await refusal(session.read(path)) in wanted, path
            assert await refusal(session.write(path, b"NEVER")) in wanted, path
            assert time.monotonic() - began_s < 1, path
        for path in ("linked/new", "up/tmp/new", "linked/new/newer", "loop/new"):
            assert await refusal(session.write(path, b"NEVER")) in wanted, path
        listed = [file.path for file in (await session.listing()).files]
        assert listed == ["hard", "plain", "secret"]
        assert await session.says("import os; print(os.listdir('/tmp'), open('plain').read())") == "[] plain"
    ran = await sandbox.run(SPECIAL, output_paths=tuple(KINDS))
    assert not ran.files
    assert {file.path: file.reason for file in ran.end.skipped_files} == KINDS


SWAPS = {
    # What the session's program does in a tight loop, and where the service reads and writes meanwhile.
    "a link for a file": (
        "os.symlink('/etc/passwd', 'n'); os.rename('n', 'f'); open('m', 'w').write('mine'); os.rename('m', 'f')",
        "f",
    ),
    "a link for a folder": (
        "os.rename('d', 'e'); os.symlink('/etc', 'd'); os.unlink('d'); os.rename('e', 'd')",
        "d/passwd",
    ),
    "a link for the folder above": (
        "os.rename('p', 'q'); os.symlink('/tmp', 'p'); os.unlink('p'); os.rename('q', 'p')",
        "p/d/deep/f",
    ),
    "a FIFO for a file": (
        "os.mkfifo('n'); os.rename('n', 'f'); open('m', 'w').write('mine'); os.rename('m', 'f')",
        "f",
    ),
    "a hard link for a file": (
        "open('n', 'w').write('mine'); os.link('n', 'h'); os.rename('n', 'f'); os.unlink('h')",
        "f",
    ),
    "a folder for a file": (
        "os.unlink('f'); os.mkdir('f'); os.rmdir('f'); open('f', 'w').write('mine')",
        "f",
    ),
    "two names for each other": ("os.rename('d', 'x'); os.rename('e2', 'd'); os.rename('x', 'e2')", "d/passwd"),
}
SWAPPER = """
import os, threading
for name in ('d', 'e2', 'p/d/deep'): os.makedirs(name, exist_ok=True)
for name in ('d/passwd', 'e2/passwd', 'p/d/deep/f', 'f'): open(name, 'w').write('mine')
open('/tmp/f', 'w').write('NEVER'); os.makedirs('/tmp/d/deep'); open('/tmp/d/deep/f', 'w').write('NEVER')
swaps = 0
def swap():
    global swaps
    while not os.path.exists('stop'):
        try:
            {swap}
        except OSError: pass
        swaps += 1
swapping = threading.Thread(target=swap)
swapping.start()
"""


async def swaps_win_no_race(sandbox: Sandbox) -> None:
    await asyncio.gather(*(_swap(sandbox, name, *swap) for name, swap in SWAPS.items()))


async def _swap(sandbox: Sandbox, name: str, swap: str, path: str) -> None:
    outcomes: Counter[str] = Counter()
    async with sandbox.opened() as session:
        await session.says(SWAPPER.format(swap=swap))

        async def tries(count: int) -> None:
            for number in range(count):
                try:
                    got = await asyncio.wait_for(session.read(path), 5)
                except Exception as error:  # noqa: BLE001  refusals of every kind
                    outcomes[getattr(error, "reason", type(error).__name__)] += 1
                else:
                    outcomes["read"] += 1
                    assert not any(mark in got for mark in OUTSIDE), (name, got)
                if number % 4 == 0:
                    outcomes[f"write {(await refusal(session.write(path, b'theirs')))[:6]}"] += 1
                if number % 64 == 0:
                    await session.listing()

        await asyncio.gather(*(tries(TRIES // len(SWAPS) // 4) for _ in range(4)))
        ended = await session.cell(
            "open('stop', 'w').close(); swapping.join()\n"
            "print(swaps, open('/tmp/f').read(), open('/tmp/d/deep/f').read(), sorted(os.listdir('/tmp')))"
        )
        assert ended.end.status == OK, ended.stderr
        assert ended.text.split(maxsplit=1)[1] == "NEVER NEVER ['d', 'f']\n", name
        assert int(ended.text.split()[0]) > 20, name
        assert set(outcomes) <= {
            "read",
            "FILE_REFUSED",
            "FILE_NOT_FOUND",
            "write WORKED",
            "write FILE_R",
            "write FILE_N",
        }, outcomes


async def files_that_are_too_much_stay_within_bounds(sandbox: Sandbox) -> None:
    code = """
import os
def tried(f):
    try: return f()
    except OSError as e: return e.errno
print(tried(lambda: os.truncate('sparse', 1 << 40)) if open('sparse', 'w').close() is None else 0)
print(tried(lambda: os.posix_fallocate(os.open('sparse', os.O_RDWR), 0, 1 << 40)))
fd = os.open('sparse', os.O_RDWR); os.lseek(fd, 1 << 40, 0); print(tried(lambda: os.write(fd, b'x')))
os.truncate('sparse', 60 << 20)
"""
    async with sandbox.opened() as session:
        assert (await session.says(code)).split() == ["27", "27", "27"]  # EFBIG
        assert await session.read("sparse", offset=50 << 20, length=16) == bytes(16)
        assert await session.read("sparse", offset=(1 << 64) - 1) == b""
        assert await refusal(session.write("sparse", b"x", (1 << 64) - 1)) == "FILE_REFUSED"
        ran = await session.cell("1", output_paths=("sparse",))
        assert [(file.path, file.reason) for file in ran.end.skipped_files] == [("sparse", "too_large")]
        await session.says("import os\nos.unlink('sparse')")
        times = "import os\nfor n, t in enumerate((-2**62, 0, 2**33, 2**62)):\n open(f't{n}', 'w').close()\n"
        await session.says(times + " try: os.utime(f't{n}', (t, t))\n except OSError: pass")
        assert len((await session.listing()).files) == 4
        many = "n = 0\nos.makedirs('many/' + 'n' * 200)\ntry:\n"
        many += " while n < 100_000: open(f'many/{\"n\" * 200}/{n}', 'w').close(); n += 1\n"
        assert 1_000 < int(await session.says(many + "except OSError as e: print(n)")) < 4_096
        listed = await asyncio.wait_for(session.listing(), 5)
        assert listed.truncated or len(listed.files) > 1_000
        assert await refusal(session.write("one-more/x", b"x")) == "FILE_REFUSED"
    ran = await sandbox.run("for n in range(99): open(f'f{n:02}', 'w').write('x')", output_paths=("f*",))
    assert len(ran.files) == 64
    assert {file.reason for file in ran.end.skipped_files} == {"too_many"}


async def names_that_nobody_can_say_are_left_out(sandbox: Sandbox) -> None:
    code = """
import os
os.chdir(b'/work')
for name in (b'\\xff\\xfe', b'a\\nb', b'\\x01' * 255, b'\\x1b[2J', b'..\\\\x', '\\u202e'.encode(), b'x' * 255):
    open(name, 'w').close()
deep = '/work'
for n in range(600):
    os.mkdir('d' * 120); os.chdir('d' * 120)
    if n == 200: break
open('bottom', 'w').close()
os.chdir('/work')
"""
    async with sandbox.opened() as session:
        await session.says(code)
        listing = await session.listing()
        assert {file.path for file in listing.files} >= {"x" * 255, "\u202e"}
        assert listing.truncated
        assert all(len(file.path.encode()) <= 1024 for file in listing.files)
        for file in listing.files:
            assert await refusal(session.read(file.path)) == "PATH_INVALID" or await session.read(file.path) == b""
        assert await session.says("print('alive')") == "alive"


async def folders_that_move_about_do_not_keep_a_listing_going(sandbox: Sandbox) -> None:
    code = """
import os, threading
for a in range(4): os.makedirs(f'a{a}/b/c'); [open(f'a{a}/b/c/{n}', 'w').close() for n in range(50)]
def move():
    while not os.path.exists('stop'):
        for a in range(4):
            try: os.rename(f'a{a}', f'a{(a + 1) % 4}/b/c/x{a}'); os.rename(f'a{(a + 1) % 4}/b/c/x{a}', f'a{a}')
            except OSError: pass
moving = threading.Thread(target=move); moving.start()
"""
    async with sandbox.opened() as session:
        await session.says(code)
        for _ in range(20):
            assert len((await asyncio.wait_for(session.listing(), 3)).files) <= 4096
        await session.says("open('stop', 'w').close(); moving.join()")


async def a_file_that_grows_while_it_is_read_comes_to_an_end(sandbox: Sandbox) -> None:
    grow = """
import threading, os, time
open('log', 'wb').write(b'x' * 1_000_000)
def grow():
    with open('log', 'ab') as f:
        while not os.path.exists('stop'):
            f.write(b'y' * 10_000); f.flush()
            if f.tell() > 30_000_000: os.truncate('log', 0)
growing = threading.Thread(target=grow); growing.start()
"""
    shrink = "def flicker():\n while not os.path.exists('stop'):\n  os.rename('log', 'gol'); os.rename('gol', 'log')\n"
    async with sandbox.opened() as session:
        await session.says(grow)
        for _ in range(3):
            ran = await asyncio.wait_for(session.cell("1", output_paths=("log",)), 10)
            assert ran.end.status == OK
            assert len(ran.files.get("log", b"")) <= 32 << 20
        await session.says(shrink + "flickering = threading.Thread(target=flicker); flickering.start()")
        for _ in range(10):
            ran = await asyncio.wait_for(session.cell("1", output_paths=("log", "*")), 10)
            assert ran.end.status == OK  # whatever came of the file, the cell has its end
        await session.says("open('stop', 'w').close(); growing.join()")


async def greedy_patterns_keep_nobody_waiting(sandbox: Sandbox) -> None:
    from sandbox_channel_abuse import awake

    code = "for n in range(50): open('a' * 200 + str(n), 'w').close()"
    patterns = ("*a" * 100 + "*b", "?*" * 80 + "b", "**/" * 100 + "x", "*" * 300 + "z", "**" * 100 + "/b")
    ran = await awake(sandbox.run(code, output_paths=patterns))
    assert ran.end.status == OK
    assert not ran.files


async def archives_unpack_inside_or_not_at_all(sandbox: Sandbox) -> None:
    code = """
import io, os, tarfile, zipfile, zlib
os.makedirs('out')
with tarfile.open('evil.tar', 'w') as t:
    for name in ('../../../../tmp-evil', '/tmp/evil', '../../etc/evil', '/dev/shm/../../evil'):
        i = tarfile.TarInfo(name); i.size = 4; t.addfile(i, io.BytesIO(b'evil'))
    i = tarfile.TarInfo('l'); i.type = tarfile.SYMTYPE; i.linkname = '/etc'; t.addfile(i)
    i = tarfile.TarInfo('l/passwd'); i.size = 4; t.addfile(i, io.BytesIO(b'evil'))
    i = tarfile.TarInfo('null'); i.type = tarfile.CHRTYPE; i.devmajor, i.devminor = 1, 3; t.addfile(i)
with tarfile.open('evil.tar') as t:
    for m in t.getmembers():
        try: t.extract(m, 'out')
        except Exception as e: pass
with zipfile.ZipFile('bomb.zip', 'w', zipfile.ZIP_DEFLATED) as z:
    with z.open('zeros', 'w', force_zip64=True) as f:
        for _ in range(200): f.write(bytes(1_000_000))
try: zipfile.ZipFile('bomb.zip').extractall('out'); print('WORKED')
except OSError as e: print('full')
print(open('/etc/passwd').read().startswith('sandbox:'), os.path.exists('/evil'), os.path.exists('/tmp-evil'))
"""
    assert await sandbox.says(code, memory_bytes=256 << 20) == "full\nTrue False False"
    upload = {"bomb.zip": b"PK\x03\x04" + b"\x00" * 1000, "evil.tar": b"../../x\x00" * 100}
    ran = await sandbox.run("import os; print(sorted(os.listdir()))", files=upload, output_paths=("bomb.zip",))
    assert ran.text == "['bomb.zip', 'evil.tar']\n"
    assert ran.files == {"bomb.zip": upload["bomb.zip"]}


async def uploads_are_bounded(sandbox: Sandbox) -> None:
    big = {f"f{number}": b"x" * (2 << 20) for number in range(4)}
    assert (await refusal(sandbox.run("1", files=big))) in {"PROGRAM_INVALID", "MESSAGE_TOO_LARGE"}
    async with sandbox.opened() as session:
        refused = [await refusal(session.write("big", b"x" * (6 << 20), piece * (6 << 20))) for piece in range(12)]
        assert refused[0].startswith("WORKED")
        assert refused[-1] == "FILE_REFUSED"
        too_long = pb.WriteFileRequest(session_id=session.session_id, path="x", data=b"x" * ((6 << 20) + 1))
        assert not (await refusal(session.stub.WriteFile(too_long))).startswith("WORKED")
        assert await session.says("print('alive')") == "alive"


FILE_ABUSES = (
    paths_that_lead_out_are_refused,
    what_is_no_plain_file_is_neither_given_nor_taken,
    swaps_win_no_race,
    files_that_are_too_much_stay_within_bounds,
    names_that_nobody_can_say_are_left_out,
    folders_that_move_about_do_not_keep_a_listing_going,
    a_file_that_grows_while_it_is_read_comes_to_an_end,
    greedy_patterns_keep_nobody_waiting,
    archives_unpack_inside_or_not_at_all,
    uploads_are_bounded,
)
