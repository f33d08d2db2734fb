"""What of the host must be the same after every abuse, and the neighbour that must not notice any."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox_rig import Sandbox, Session, mounts

FIRST_USER_ID = 0x4E580000
SECRET_TEXT = "the host's own secret"
_SYSCTLS = (
    *("kernel/core_pattern", "kernel/hostname", "kernel/domainname", "kernel/modprobe", "kernel/randomize_va_space"),
    *("kernel/sysrq", "kernel/pid_max", "kernel/threads-max", "kernel/shmmax", "kernel/yama/ptrace_scope"),
    *("vm/overcommit_memory", "vm/swappiness", "vm/drop_caches", "fs/file-max", "fs/suid_dumpable", "fs/binfmt_misc"),
    *("fs/protected_symlinks", "net/ipv4/ip_forward", "net/core/somaxconn", "user/max_user_namespaces"),
)
_FOLDERS = (Path("/tmp"), Path("/dev/shm"), Path("/dev/mqueue"), Path("/var/tmp"), Path("/run"), Path("/"))


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return "-"


def sandbox_uids() -> set[int]:
    """Host users that only sandboxes have; none for a service that is not root."""
    return set(range(FIRST_USER_ID, FIRST_USER_ID + (1 << 16))) if os.geteuid() == 0 else set()


def _listening_of_sandboxes() -> list[str]:
    """Sockets of the host's own network that belong to a sandbox's user: there are none, ever."""
    found: list[str] = []
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in _text(Path("/proc/net", kind)).splitlines()[1:]:
            fields = line.split()
            if FIRST_USER_ID <= int(fields[7]) < FIRST_USER_ID + (1 << 16):
                found.append(f"{kind} {fields[1]}")
    return found


def _owned_by_sandboxes() -> list[str]:
    """Files in the host's shared folders, and shared memory of System V, that belong to a sandbox's user."""
    found: list[str] = []
    for folder in _FOLDERS:
        try:
            entries = list(os.scandir(folder))
        except OSError:
            continue
        for entry in entries:
            try:
                owner = entry.stat(follow_symlinks=False).st_uid
            except OSError:
                continue
            if FIRST_USER_ID <= owner < FIRST_USER_ID + (1 << 16):
                found.append(entry.path)
    for kind in ("shm", "sem", "msg"):
        for line in _text(Path("/proc/sysvipc", kind)).splitlines()[1:]:
            numbers = [int(word) for word in line.split() if word.isdigit()]
            found += [f"{kind} {line}" for number in numbers if FIRST_USER_ID <= number < FIRST_USER_ID + (1 << 16)]
    return found


@dataclass(frozen=True)
class HostState:
    """What is compared."""

    mounts: str
    sysctls: tuple[str, ...]
    secret: tuple[str, int, int]
    listening: tuple[str, ...]
    owned: tuple[str, ...]
    own_limits: str
    python: tuple[int, int]


def host_state(secret: Path) -> HostState:
    """Return the state of the host, as this process sees it."""
    known, library = secret.stat(), Path(os.__file__).stat()
    return HostState(
        mounts(),
        tuple(_text(Path("/proc/sys", name)) for name in _SYSCTLS),
        (secret.read_text(), known.st_mtime_ns, known.st_mode),
        tuple(_listening_of_sandboxes()),
        tuple(_owned_by_sandboxes()),
        _text(Path("/proc/self/limits")),
        (library.st_size, library.st_mtime_ns),
    )


@dataclass
class Canary:
    """Another organisation's session on the same service, which must live on and keep what it has."""

    sandbox: Sandbox
    session: Session

    async def sings(self) -> None:
        """Look whether it is what it was."""
        assert await self.session.says("print(kept, open('kept').read(), ticking.is_alive())") == "42 my own data True"
        assert await self.session.read("kept") == b"my own data"


@asynccontextmanager
async def canary_of(sandbox: Sandbox) -> AsyncGenerator[Canary, None]:
    neighbour = sandbox.of("org-canary")
    async with neighbour.opened() as session:
        await session.write("kept", b"my own data")
        await session.says(
            "import threading, time\nkept = 42\n"
            "ticking = threading.Thread(target=lambda: [time.sleep(.05) for _ in iter(int, 1)], daemon=True)\n"
            "ticking.start()"
        )
        canary = Canary(neighbour, session)
        await canary.sings()
        yield canary
