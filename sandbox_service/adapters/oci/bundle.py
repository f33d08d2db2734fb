"""The folder that a runtime is given: a root file system, and what is to be built around it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from sandbox_service.adapters.launcher.layout import INNER_ID, PROGRAM_FOLDER, PROGRAMS, WORKSPACE, WRITABLE, Blueprint
from sandbox_service.adapters.oci.contained import BOOTSTRAP, PACKAGES_INSIDE

ROOT = "rootfs"
_BLUEPRINT = "blueprint.json"
_PACKAGES = Path(__file__).resolve().parents[3]
# What the PID 1 of a container imports of ours.
_CODE = (
    "sandbox_service/__init__.py",
    "sandbox_service/adapters/__init__.py",
    "sandbox_service/adapters/launcher",
    "sandbox_service/adapters/guest",
    "sandbox_service/adapters/oci",
    "sandbox_service/adapters/egress/__init__.py",
    "sandbox_service/adapters/egress/doorway.py",
)
_NAMESPACES = ("pid", "network", "ipc", "uts", "mount", "cgroup")
_CAPABILITY_SETS = ("bounding", "effective", "permitted", "inheritable", "ambient")
_PROGRAM_BYTES = 2 << 20
_DESCRIPTORS = 1024
_PRIVATE = ["nosuid", "nodev", "noexec"]

Mount = dict[str, Any]


def write_bundle(folder: Path, blueprint: Blueprint, python: Path, cgroup: str) -> None:
    """Write the bundle of one container.

    Args:
        folder: an empty one, which nobody else can write to.
        blueprint: how its sandbox looks.
        python: the interpreter, free of symbolic links.
        cgroup: path of its control group from the top of each hierarchy; empty for none.

    Raises:
        OSError: when it cannot be written.
    """
    root = folder / ROOT
    root.mkdir(mode=0o755)
    inside = blueprint._replace(binds=[], masks=[])  # programs need not know where things lie on the host
    (folder / _BLUEPRINT).write_text(json.dumps(inside._asdict()))
    (folder / _BLUEPRINT).chmod(0o444)
    mounts = [*_shown(folder, blueprint), *_own(blueprint)]
    for mount in mounts:
        _place(root, mount)
    _write_files(root, blueprint)
    (folder / "config.json").write_text(json.dumps(_config(blueprint, python, mounts, cgroup)))


def _config(blueprint: Blueprint, python: Path, mounts: list[Mount], cgroup: str) -> dict[str, Any]:
    linux: dict[str, Any] = {"namespaces": [{"type": name} for name in _NAMESPACES]}
    if cgroup:
        linux["cgroupsPath"] = cgroup
    return {
        "ociVersion": "1.0.2",
        "hostname": "sandbox",
        "root": {"path": ROOT, "readonly": True},
        "mounts": mounts,
        "linux": linux,
        "process": {
            "terminal": False,
            "cwd": "/",
            "user": {"uid": blueprint.user_id, "gid": blueprint.user_id},
            "args": [str(python), "-I", "-S", "-B", "-u", "-c", BOOTSTRAP, PACKAGES_INSIDE],
            "env": [f"{name}={value}" for name, value in blueprint.environment.items()],
            "capabilities": {name: [] for name in _CAPABILITY_SETS},
            "noNewPrivileges": True,
            "rlimits": [
                {"type": "RLIMIT_NOFILE", "hard": _DESCRIPTORS, "soft": _DESCRIPTORS},
                {"type": "RLIMIT_CORE", "hard": 0, "soft": 0},
            ],
        },
    }


def _shown(folder: Path, blueprint: Blueprint) -> list[Mount]:
    """Return the mounts of what is seen of the host, read-only."""
    code = [(str(_PACKAGES / name), f"{PACKAGES_INSIDE}/{name}") for name in _CODE]
    pairs = [*blueprint.binds, *code, (str(folder / _BLUEPRINT), f"{PACKAGES_INSIDE}/{_BLUEPRINT}")]
    return [
        {"type": "bind", "source": path, "destination": inside, "options": ["bind", "ro", "nosuid", "nodev"]}
        for path, inside in sorted(pairs, key=lambda pair: pair[1])
    ]


def _own(blueprint: Blueprint) -> list[Mount]:
    """Return the mounts that hold nothing of the host."""
    owner = [f"uid={blueprint.user_id}", f"gid={blueprint.user_id}", "mode=700"]
    writable = [*_PRIVATE, *owner, f"nr_inodes={blueprint.workspace_files}", f"size={blueprint.workspace_bytes}"]
    return [
        *(_tmpfs(path, [*_PRIVATE, "ro", "size=4k", "mode=555"]) for path in blueprint.masks),
        # Of /proc, only processes, and of them only a program's own: no sysctl, nothing of the machine.
        {"type": "proc", "source": "proc", "destination": "/proc", "options": [*_PRIVATE, "subset=pid", "hidepid=2"]},
        _tmpfs("/dev", ["nosuid", "noexec", "mode=755", "size=64k"]),
        *(_tmpfs(path, writable) for path in WRITABLE),
        _tmpfs(PROGRAM_FOLDER, [*_PRIVATE, *owner, f"size={_PROGRAM_BYTES}"]),
    ]


def _tmpfs(path: str, options: list[str]) -> Mount:
    return {"type": "tmpfs", "source": "tmpfs", "destination": path, "options": options}


def _place(root: Path, mount: Mount) -> None:
    """Make a mount point, unless it lies within another mount."""
    point = root / str(mount["destination"]).lstrip("/")
    if mount["type"] == "bind" and not os.path.isdir(mount["source"]):  # noqa: PTH112  no Path otherwise
        point.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        point.touch(mode=0o444)
    else:
        point.mkdir(mode=0o755, parents=True, exist_ok=True)


def _write_files(root: Path, blueprint: Blueprint) -> None:
    """Write the links, and the files that name the user."""
    for target, link in blueprint.links:
        (root / link.lstrip("/")).parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        (root / link.lstrip("/")).symlink_to(target)
    programs = next((Path(path) for path, inside in blueprint.binds if inside == PROGRAMS), None)
    found = root / "usr" / "bin"
    found.mkdir(mode=0o755, parents=True, exist_ok=True)
    for program in programs.iterdir() if programs else ():
        link = found / program.name
        if not link.is_symlink() and not link.exists():
            link.symlink_to(f"{PROGRAMS}/{program.name}")
    etc = root / "etc"
    etc.mkdir(mode=0o755, exist_ok=True)
    ids = {blueprint.user_id: "sandbox", INNER_ID: "sandbox-inner"}
    (etc / "passwd").write_text("".join(f"{name}:x:{uid}:{uid}::{WORKSPACE}:/bin/sh\n" for uid, name in ids.items()))
    (etc / "group").write_text("".join(f"{name}:x:{uid}:\n" for uid, name in ids.items()))
    (etc / "hosts").write_text("127.0.0.1 localhost\n")
    for path in (root, *root.rglob("*")):  # whatever the service's own mask is, these are for programs to read
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o444)
