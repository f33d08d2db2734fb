"""Builds the file system of one run: a read-only root with what an interpreter needs, and a private workspace."""
# pathlib would cost the launcher 5 ms a run.
# ruff: noqa: PTH102, PTH103, PTH110, PTH112, PTH120, PTH211

from __future__ import annotations

import os

from sandbox_service.adapters.launcher import kernel
from sandbox_service.adapters.launcher.order import Order

PROGRAM_PATH = "/program/main.py"
WORKSPACE = "/work"
WRITABLE = (WORKSPACE, "/tmp", "/dev/shm")  # noqa: S108  of the new root
INNER_ID = 1000
_STAGING = "/tmp"  # noqa: S108  a mount point in a mount namespace of our own
_READ_ONLY = kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV
_DEVICE = kernel.ATTR_NOSUID | kernel.ATTR_NOEXEC
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)
_NO_EXEC = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


def _inside(path: str) -> str:
    """Return `path` of the new root, relative to the current directory, which is that root."""
    return "." + path


def _make_parent(path: str) -> None:
    os.makedirs(os.path.dirname(_inside(path)), mode=0o755, exist_ok=True)


def _write(path: str, content: bytes) -> None:
    _make_parent(path)
    fd = os.open(_inside(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o444)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def _place(path: str, *, folder: bool) -> None:
    """Make a mount point."""
    _make_parent(path)
    if folder:
        os.makedirs(_inside(path), mode=0o755, exist_ok=True)
    elif not os.path.exists(_inside(path)):
        _write(path, b"")


def _tmpfs(path: str, size_bytes: int, inodes: int, mode: int, owner: str) -> None:
    os.makedirs(_inside(path), mode=0o755, exist_ok=True)
    options = f"size={size_bytes},nr_inodes={inodes},mode={mode:o},{owner}"
    kernel.mount("nexus", _inside(path), "tmpfs", _NO_EXEC, options)


def _clone(paths: list[str], attributes: int) -> list[tuple[int, str, bool]]:
    """Return (tree descriptor, path, is a folder) of each path, restricted, before the host is out of sight."""
    trees: list[tuple[int, str, bool]] = []
    for path in paths:
        tree = kernel.open_tree(path)
        kernel.restrict_tree(tree, attributes)
        trees.append((tree, path, os.path.isdir(path)))
    return trees


def _identity(order: Order) -> None:
    """Write the files that name the user and the host."""
    ids = {INNER_ID: "sandbox", int(order["uid"][0]): "sandbox-host"}
    users = "".join(f"{name}:x:{uid}:{uid}::{WORKSPACE}:/bin/sh\n" for uid, name in ids.items())
    groups = "".join(f"{name}:x:{uid}:\n" for uid, name in ids.items())
    _write("/etc/passwd", users.encode())
    _write("/etc/group", groups.encode())
    _write("/etc/hosts", b"127.0.0.1 localhost\n")


def _workspace(order: Order) -> None:
    """Mount what a program may write to, each with its size and its number of files."""
    size_bytes, inodes = int(order["workspace_bytes"][0]), int(order["workspace_inodes"][0])
    owner = f"uid={order['uid'][0]},gid={order['gid'][0]}"
    if order["mode"][0] == "user":
        owner = "uid=0,gid=0"  # the one id that this user namespace knows
    for folder in WRITABLE:
        _tmpfs(folder, size_bytes, inodes, 0o700, owner)


def build_root(order: Order, code: bytes) -> None:
    """Build the new root, move into it and let go of the old one. Needs to be PID 1 of a new PID namespace.

    Raises:
        OSError: when the kernel refuses a step.
    """
    kernel.make_mounts_private()
    trees = _clone(order.get("bind", []), _READ_ONLY) + _clone(list(_DEVICES), _DEVICE)
    kernel.mount("nexus", _STAGING, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=4m,nr_inodes=512,mode=755")
    os.chdir(_STAGING)
    for tree, path, is_folder in trees:
        _place(path, folder=is_folder)
        kernel.attach_tree(tree, _inside(path))
    for source, link in (*_LINKS, *(tuple(pair.split("\t")) for pair in order.get("link", []))):
        _make_parent(link)
        os.symlink(source, _inside(link))
    for path in order.get("mask", []):
        kernel.mount("nexus", _inside(path), "tmpfs", _NO_EXEC | kernel.MS_RDONLY, "size=4k,nr_inodes=2,mode=555")
    _identity(order)
    _write(PROGRAM_PATH, code)
    _workspace(order)
    os.mkdir("./proc", 0o555)
    # subset=pid leaves out everything but processes: no sysctl, no kernel addresses, nothing of the machine.
    kernel.mount("proc", "./proc", "proc", _NO_EXEC | kernel.MS_RDONLY, "subset=pid,hidepid=2")
    kernel.pivot_root()
    kernel.unmount_old_root()
    os.chdir(WORKSPACE)
    kernel.restrict_mount("/", _READ_ONLY)
