"""What a hostile program tries, and does not get."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import psutil
import pytest
from sandbox_rig import ERROR, OK, POLICY, Sandbox, children

HERE = Path(__file__).resolve()
LIBC = "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
DENIED = {"EPERM", "EACCES", "ENOENT", "ENOSYS", "EROFS", "EAFNOSUPPORT", "ESRCH", "EINVAL", "ENXIO"}


def attempt(expression: str) -> str:
    """Return code that prints the errno with which an expression fails, or WORKED."""
    return (
        "import ctypes, errno, os, socket\n"
        f"try:\n    r = {expression}\n    print('WORKED', r)\n"
        "except OSError as e: print(errno.errorcode.get(e.errno, e.errno))"
    )


def raw(call: str) -> str:
    """Return code that prints the errno of a libc call, or WORKED."""
    return (
        LIBC + f"import errno\nr = libc.{call}\n"
        "print('WORKED', r) if r >= 0 else print(errno.errorcode[ctypes.get_errno()])"
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


async def test_nothing_but_its_streams_is_inherited(sandbox: Sandbox) -> None:
    held = await sandbox.says(
        "import os\nfor n in range(3, 600):\n    try: os.fstat(n); print(n)\n    except OSError: pass"
    )
    assert held == "3"  # the channel, for what it wants to show


async def test_the_programs_own_file_is_not_held_open(sandbox: Sandbox) -> None:
    targets = await sandbox.says("import os\nfor n in range(3): print(os.readlink(f'/proc/self/fd/{n}'))")
    assert all(target.startswith(("pipe:", "/memfd:stdin")) for target in targets.splitlines())


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


@pytest.mark.parametrize(
    "family", ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_ALG", "AF_TIPC", "AF_CAN"]
)
async def test_no_socket_of_any_network_family(sandbox: Sandbox, family: str) -> None:
    number = int(getattr(socket, family))
    assert await sandbox.says(attempt(f"socket.socket({number}, socket.SOCK_RAW)")) == "EACCES"
    assert await sandbox.says(attempt(f"socket.socket({number}, socket.SOCK_STREAM)")) == "EACCES"


async def test_names_are_not_resolved(sandbox: Sandbox) -> None:
    code = "import socket\ntry: print(socket.getaddrinfo('example.com', 80))\nexcept socket.gaierror: print('no')"
    assert await sandbox.says(code) == "no"


@pytest.mark.parametrize(
    "call",
    [
        "mount(b'x', b'/work', b'tmpfs', 0, None)",
        "mount(b'/', b'/work', None, 4096, None)",
        "umount2(b'/work', 2)",
        "unshare(0x10000000)",
        "unshare(0x00020000)",
        "setns(0, 0)",
        "ptrace(16, 1, 0, 0)",
        "ptrace(0, 0, 0, 0)",
        "setuid(0)",
        "setresuid(0, 0, 0)",
        "setgid(0)",
        "setgroups(0, None)",
        "chroot(b'/work')",
        "personality(0x0040000)",
        "sethostname(b'x', 1)",
        "swapon(b'/work/x', 0)",
        "reboot(0)",
        "iopl(3)",
        "settimeofday(ctypes.byref((ctypes.c_long * 2)(0, 0)), None)",
        "process_vm_readv(1, None, 0, None, 0, 0)",
        "shmget(0, 4096, 0o1666)",
        "mknod(b'/work/null', 0o020666, 0x103)",
    ],
)
async def test_privileged_calls_are_denied(sandbox: Sandbox, call: str) -> None:
    assert await sandbox.says(raw(call)) in DENIED


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (155, "pivot_root"),
        (175, "init_module"),
        (246, "kexec_load"),
        (248, "add_key"),
        (250, "keyctl"),
        (298, "perf_event_open"),
        (304, "open_by_handle_at"),
        (313, "finit_module"),
        (317, "seccomp"),
        (321, "bpf"),
        (323, "userfaultfd"),
        (425, "io_uring_setup"),
        (428, "open_tree"),
        (430, "fsopen"),
        (435, "clone3"),
        (438, "pidfd_getfd"),
        (442, "mount_setattr"),
        (447, "memfd_secret"),
        (999, "unknown"),
    ],
)
async def test_system_calls_outside_the_list_are_denied(sandbox: Sandbox, number: int, name: str) -> None:
    assert await sandbox.says(raw(f"syscall({number}, 0, 0, 0, 0, 0)")) in {"EPERM", "ENOSYS"}, name


async def test_clone_with_namespace_flags_is_denied(sandbox: Sandbox) -> None:
    for flag in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000):
        assert await sandbox.says(raw(f"syscall(56, {flag | 17}, 0, 0, 0, 0)")) == "EPERM"


async def test_another_calling_convention_is_deadly(sandbox: Sandbox) -> None:
    x32 = LIBC + "libc.syscall(0x40000000 + 39)\nprint('alive')"
    ran = await sandbox.run(x32)
    assert (ran.end.status, ran.end.signal, ran.text) == (POLICY, 31, "")
    # mov eax, 20 (getpid of i386); int 0x80; ret
    i386 = (
        "import ctypes, mmap\nm = mmap.mmap(-1, 4096, prot=7)\nm.write(bytes.fromhex('b814000000cd80c3'))\n"
        "ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(m)))()\nprint('alive')"
    )
    ran = await sandbox.run(i386)
    assert (ran.end.status, ran.text) == (POLICY, "")
    assert ran.end.signal in (11, 31)


async def test_a_terminal_cannot_be_typed_into(sandbox: Sandbox) -> None:
    code = "import fcntl\ntry: fcntl.ioctl(0, 0x5412, b'x'); print('WORKED')\nexcept OSError as e: print('no')"
    assert await sandbox.says(code) == "no"


async def test_sysctls_cannot_be_opened_for_writing(sandbox: Sandbox) -> None:
    # Opened only: a test that writes would do the damage it looks for.
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/vm/overcommit_memory"):
        assert await sandbox.says(attempt(f"os.open({path!r}, os.O_WRONLY)")) in {"ENOENT", "EROFS", "EACCES"}


@pytest.mark.parametrize(
    "path", ["/x", "/etc/passwd", "/program/main.py", "/usr/lib/x", os.__file__, "/proc/self/uid_map"]
)
async def test_nothing_outside_the_workspace_can_be_written(sandbox: Sandbox, path: str) -> None:
    before = Path(os.__file__).read_bytes()
    assert await sandbox.says(attempt(f"os.open({path!r}, os.O_WRONLY | os.O_CREAT)")) in {"EROFS", "EACCES", "EPERM"}
    assert Path(os.__file__).read_bytes() == before


async def test_outside_processes_cannot_be_signalled(sandbox: Sandbox) -> None:
    code = (
        f"import os\nfor pid in {[os.getpid(), os.getppid(), 1000]!r}:\n"
        "    try: os.kill(pid, 0); print('REACHED', pid)\n    except OSError: pass\n"
        "for number in range(1, 65):\n    try: os.kill(1, number)\n    except OSError: pass\n"
        "import time; time.sleep(.1); print('still here')"
    )
    assert await sandbox.says(code) == "still here"


async def test_the_first_process_cannot_be_looked_into(sandbox: Sandbox) -> None:
    for path in ("/proc/1/mem", "/proc/1/environ", "/proc/1/fd", "/proc/1/maps", "/proc/1/root"):
        assert await sandbox.says(attempt(f"os.open({path!r}, os.O_RDONLY)")) in {"ENOENT", "EACCES", "EPERM"}


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
