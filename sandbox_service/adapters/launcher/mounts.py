"""Builds the file systems of a zygote, a read-only root, and of each sandbox, private writable folders in it."""
# pathlib would be a second way to say what these calls say.
# ruff: noqa: PTH103, PTH110, PTH112, PTH120, PTH211

from __future__ import annotations

import os
import stat

from sandbox_service.adapters.launcher import kernel
from sandbox_service.adapters.launcher.layout import INNER_ID, PROGRAM_FOLDER, PROGRAMS, WORKSPACE, WRITABLE, Blueprint

_STAGING = "/tmp"  # noqa: S108  a mount point in a mount namespace of our own
_READ_ONLY = kernel.ATTR_RDONLY | kernel.ATTR_NOSUID | kernel.ATTR_NODEV
_DEVICE = kernel.ATTR_NOSUID | kernel.ATTR_NOEXEC
_NO_PROGRAMS = kernel.ATTR_NOSUID | kernel.ATTR_NODEV | kernel.ATTR_NOEXEC
_DEVICES = ("/dev/null", "/dev/full", "/dev/random", "/dev/urandom")
_ZERO = "/dev/zero"
_LINKS = (
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
)
_NO_EXEC = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC
_PROGRAM_BYTES = 2 << 20


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


def _clone(pairs: list[tuple[str, str]], attributes: int) -> list[tuple[int, str, bool]]:
    """Return (tree descriptor, path inside, is a folder) of each pair, restricted, before the host is out of sight."""
    trees: list[tuple[int, str, bool]] = []
    for path, inside in pairs:
        tree = kernel.open_tree(path)
        kernel.restrict_tree(tree, attributes)
        trees.append((tree, inside, os.path.isdir(path)))
    return trees


def _clone_granted(paths: list[tuple[str, bool]]) -> list[tuple[int, str, bool]]:
    """Do the same for paths that somebody outside may have changed in between: no link on the way is followed."""
    trees: list[tuple[int, str, bool]] = []
    root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    for path, writable in paths:
        fd = kernel.open_beneath(root, path.lstrip("/"), os.O_PATH)
        tree = kernel.open_tree_of(fd)
        kernel.restrict_tree(tree, _NO_PROGRAMS if writable else _READ_ONLY)
        trees.append((tree, path, stat.S_ISDIR(os.fstat(fd).st_mode)))
        os.close(fd)
    os.close(root)
    return trees


def _clone_below(folders: tuple[str, ...], paths: list[tuple[str, bool]]) -> list[tuple[int, str, bool]]:
    """Return copies of the mounts that `paths` are, restricted already, for those that lie below one of `folders`."""
    below = [path for path, _ in paths if any(path.startswith(f"{folder}/") for folder in folders)]
    return [(kernel.open_tree(path), path, os.path.isdir(path)) for path in below]


def _link_programs() -> None:
    """Let the image's programs be found where programs are looked for."""
    if not os.path.isdir(_inside(PROGRAMS)):
        return
    os.makedirs(_inside("/usr/bin"), mode=0o755, exist_ok=True)
    for name in os.listdir(_inside(PROGRAMS)):  # noqa: PTH208
        link = _inside(f"/usr/bin/{name}")
        if not os.path.lexists(link):
            os.symlink(f"{PROGRAMS}/{name}", link)


def _identity(user_id: int) -> None:
    """Write the files that name the user and the host."""
    ids = {INNER_ID: "sandbox", user_id: "sandbox-host"}
    users = "".join(f"{name}:x:{uid}:{uid}::{WORKSPACE}:/bin/sh\n" for uid, name in ids.items())
    groups = "".join(f"{name}:x:{uid}:\n" for uid, name in ids.items())
    _write("/etc/passwd", users.encode())
    _write("/etc/group", groups.encode())
    _write("/etc/hosts", b"127.0.0.1 localhost\n")


def build_root(blueprint: Blueprint) -> None:
    """Build the root of a zygote, move into it and let go of the old one.

    Raises:
        OSError: when the kernel refuses a step.
    """
    kernel.make_mounts_private()
    # Who maps zeros shared has memory without a file, which only a control group counts.
    devices = (*_DEVICES, _ZERO) if blueprint.memfd else _DEVICES
    trees = _clone(blueprint.binds, _READ_ONLY) + _clone([(path, path) for path in devices], _DEVICE)
    trees += _clone_granted(blueprint.granted_paths)
    # A new view of processes may only be mounted where a whole one is seen; each sandbox covers this one by its own.
    host_processes = kernel.open_tree("/proc")
    kernel.restrict_tree(host_processes, _READ_ONLY | kernel.ATTR_NOEXEC)
    kernel.mount("nexus", _STAGING, "tmpfs", kernel.MS_NOSUID | kernel.MS_NODEV, "size=4m,nr_inodes=1024,mode=755")
    os.chdir(_STAGING)
    for tree, path, is_folder in trees:
        _place(path, folder=is_folder)
        kernel.attach_tree(tree, _inside(path))
    for source, link in (*_LINKS, *blueprint.links):
        _make_parent(link)
        os.symlink(source, _inside(link))
    _link_programs()
    for path in blueprint.masks:
        kernel.mount("nexus", _inside(path), "tmpfs", _NO_EXEC | kernel.MS_RDONLY, "size=4k,nr_inodes=2,mode=555")
    _identity(blueprint.user_id)
    for folder in (*WRITABLE, PROGRAM_FOLDER, "/proc"):
        os.makedirs(_inside(folder), mode=0o755, exist_ok=True)
    kernel.attach_tree(host_processes, "./proc")
    kernel.pivot_root()
    kernel.unmount_old_root()
    os.chdir("/")
    kernel.restrict_mount("/", _READ_ONLY)


def build_private(blueprint: Blueprint) -> int:
    """Mount what one sandbox has for itself. Needs to be PID 1 of a new PID namespace with mounts of its own.

    Returns:
        A descriptor of a /proc for PID 1 alone, which shows processes that hide from those of their own user too.

    Raises:
        OSError: when the kernel refuses a step.
    """
    # The private folders would hide what was granted below them.
    granted = _clone_below(WRITABLE, blueprint.granted_paths)
    owner = "uid=0,gid=0"  # the one id that a zygote's user namespace knows
    size, files = blueprint.workspace_bytes, blueprint.workspace_files
    for folder in WRITABLE:
        kernel.mount("nexus", folder, "tmpfs", _NO_EXEC, f"size={size},nr_inodes={files},mode=700,{owner}")
    for tree, path, is_folder in granted:
        _place(path, folder=is_folder)
        kernel.attach_tree(tree, _inside(path))
    kernel.mount("nexus", PROGRAM_FOLDER, "tmpfs", _NO_EXEC, f"size={_PROGRAM_BYTES},nr_inodes=4,mode=700,{owner}")
    # subset=pid leaves out everything but processes: no sysctl, no kernel addresses, nothing of the machine.
    kernel.mount("proc", "/proc", "proc", _NO_EXEC | kernel.MS_RDONLY, "subset=pid")
    processes_fd = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    kernel.mount("proc", "/proc", "proc", _NO_EXEC | kernel.MS_RDONLY, "subset=pid,hidepid=2")
    return processes_fd
