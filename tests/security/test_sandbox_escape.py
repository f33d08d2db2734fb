"""What a hostile program tries, and does not get."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import psutil
import pytest
from sandbox_rig import ERROR, OK, Sandbox, children

pytestmark = pytest.mark.asyncio(loop_scope="module")

HERE = Path(__file__).resolve()
DENIED = {"EPERM", "EACCES", "ENOENT", "ENOSYS", "EROFS", "EAFNOSUPPORT", "ESRCH", "EINVAL", "ENXIO"}


def attempt(expression: str) -> str:
    """Return code that prints the errno with which an expression fails, or WORKED."""
    return (
        "import ctypes, errno, os, socket\n"
        f"try:\n    r = {expression}\n    print('WORKED', r)\n"
        "except OSError as e: print(errno.errorcode.get(e.errno, e.errno))"
    )


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text("host secret")
    path.chmod(0o644)
    return path


async def test_host_files_are_out_of_sight(sandbox: Sandbox, secret: Path) -> None:
    paths = [str(secret), "/etc/shadow", "/etc/ssh", "/root/.ssh", "/root/.bashrc", str(HERE), "/var", "/home", "/sys"]
    paths += ["/run", "/boot", "/proc/sys", "/proc/kcore", "/proc/mounts2", "/dev/mem", "/dev/vda", "/dev/kmsg"]
    code = f"import os\nprint([p for p in {paths!r} if os.path.lexists(p)])"
    assert await sandbox.says(code) == "[]"
    assert "WORKED" not in await sandbox.says(attempt(f"open({str(secret)!r}).read()"))


async def test_a_walk_over_everything_finds_no_secret(sandbox: Sandbox) -> None:
    code = (
        "import os\nseen = set()\n"
        "for folder, _, names in os.walk('/'):\n"
        "    if folder.startswith(('/usr', '/lib', '/proc', '/root/.pyenv', '/opt')): continue\n"
        "    seen.update(os.path.join(folder, n) for n in names)\n"
        "print(sorted(seen))"
    )
    seen = await sandbox.says(code)
    assert "/etc/passwd" in seen
    assert ".env" not in seen
    assert "mesh.key" not in seen


async def test_passwd_names_nobody_of_the_host(sandbox: Sandbox) -> None:
    assert "root:" not in await sandbox.says("print(open('/etc/passwd').read())")


async def test_third_party_packages_are_hidden(sandbox: Sandbox) -> None:
    code = (
        "import importlib.util as u\nprint([m for m in ('grpc', 'pip', 'numpy', 'protos', 'shared') if u.find_spec(m)])"
    )
    assert await sandbox.says(code) == "[]"


async def test_the_old_root_is_gone(sandbox: Sandbox) -> None:
    code = "import os\nprint(os.listdir('/proc/1/root') if os.access('/proc/1/root', os.R_OK) else 'no')"
    assert await sandbox.says(code) == "no"
    mounts = await sandbox.says("print(open('/proc/self/mountinfo').read())")
    assert " / / " in mounts
    assert str(Path.cwd()) not in mounts
    for line in mounts.splitlines():
        point, options = line.split()[4:6]
        if point not in ("/work", "/tmp", "/dev/shm", "/program") and not point.startswith("/dev/"):
            assert "ro" in options.split(","), line
        assert "nosuid" in options.split(","), line


async def test_no_secret_in_any_environment(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXUS_TEST_SECRET", "hunter2")
    code = (
        "import os, glob\nprint(sorted(os.environ))\n"
        "for p in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):\n"
        "    try: print(open(p, 'rb').read())\n    except OSError: pass"
    )
    said = await sandbox.says(code)
    assert said.startswith("['HOME', 'LANG', 'PATH']")
    assert "hunter2" not in said
    assert "NEXUS" not in said


async def test_only_its_own_processes_are_visible(sandbox: Sandbox) -> None:
    code = "import os\nprint([p for p in os.listdir('/proc') if p.isdigit()] == [str(os.getpid())])"
    assert await sandbox.says(code) == "True"


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
async def test_the_hosts_loopback_cannot_be_reached(sandbox: Sandbox, kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(0)
        if kind == socket.SOCK_STREAM:
            listener.listen()
        port = listener.getsockname()[1]
        code = attempt(
            f"(s := socket.socket(socket.AF_INET, {int(kind)}), s.connect(('127.0.0.1', {port})), s.send(b'x'))"
        )
        assert await sandbox.says(code) in DENIED
        await asyncio.sleep(0.05)
        with pytest.raises(BlockingIOError):
            listener.accept() if kind == socket.SOCK_STREAM else listener.recv(1)


async def test_abstract_unix_sockets_of_the_host_cannot_be_reached(sandbox: Sandbox) -> None:
    name = f"\0nexus-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        code = attempt(f"socket.socket(socket.AF_UNIX).connect({name!r})").replace(
            "print(errno", "print('refused', errno"
        )
        assert await sandbox.says(code) == "refused ECONNREFUSED"


async def test_outside_processes_cannot_be_signalled(sandbox: Sandbox) -> None:
    code = (
        f"import os\nfor pid in {[os.getpid(), os.getppid(), 1000]!r}:\n"
        "    try: os.kill(pid, 0); print('REACHED', pid)\n    except OSError: pass\n"
        "for number in range(1, 65):\n    try: os.kill(1, number)\n    except OSError: pass\n"
        "import time; time.sleep(.1); print('still here')"
    )
    assert await sandbox.says(code) == "still here"


async def test_killing_all_it_can_kills_only_itself(sandbox: Sandbox) -> None:
    ran = await sandbox.run("import os\nos.kill(-1, 9)\nprint('alive')")
    assert ran.end.status in (OK, ERROR)
    assert (await sandbox.says("print('next')")) == "next"


async def test_identity_and_capabilities(sandbox: Sandbox) -> None:
    status = await sandbox.says(
        "import os\nprint(os.getresuid(), os.getgroups())\nprint(open('/proc/self/status').read())"
    )
    assert status.startswith("(1000, 1000, 1000)")
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert f"{name}:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Seccomp:\t2" in status


async def test_runs_share_nothing(sandbox: Sandbox) -> None:
    write = "for p in ('/work/x', '/tmp/x', '/dev/shm/x'): open(p, 'w').write('mine')\nimport time; time.sleep(0.4)"
    read = "import os\nprint([os.listdir(p) for p in ('/work', '/tmp', '/dev/shm')])"
    first = asyncio.create_task(sandbox.run(write))
    await asyncio.sleep(0.25)
    assert await sandbox.says(read) == "[[], [], []]"
    assert (await first).end.status == OK
    assert await sandbox.says(read) == "[[], [], []]"


async def test_organisations_have_different_users_on_the_host(sandbox: Sandbox) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give each organisation a user of its own")
    sleeping = [
        asyncio.create_task(one.says("print('up', flush=True); import time; time.sleep(0.5)"))
        for one in (sandbox, sandbox.of("org-b"))
    ]
    async with asyncio.timeout(5):
        while len(children()) < 2:
            await asyncio.sleep(0.02)
    users = {psutil.Process(pid).uids().real for pid in children()}
    assert len(users) == 2
    assert all(user >= 0x4E580000 for user in users)
    assert await asyncio.gather(*sleeping) == ["up", "up"]
