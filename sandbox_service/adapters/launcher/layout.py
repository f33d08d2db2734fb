"""What a sandbox looks like from inside, and the settings that a zygote is started with."""

from __future__ import annotations

from typing import NamedTuple

PROGRAM_FOLDER = "/program"
PROGRAMS = "/image/bin"
WORKSPACE = "/work"
WRITABLE = (WORKSPACE, "/tmp", "/dev/shm")  # noqa: S108  of the new root
INNER_ID = 1000


class Blueprint(NamedTuple):
    """How the sandboxes of a zygote are built; it travels as JSON.

    Attributes:
        is_root: whether the zygote is started as root and has to become `user_id`.
        user_id: host user of all its sandboxes.
        group_id: its group.
        binds: (host path, path inside) of what is shown, read-only.
        granted_paths: (host path, may be changed) of what is shown at the same place; none leads through a link.
        links: (target, path inside) of symbolic links.
        masks: paths inside that are shown empty.
        workspace_bytes: size of each writable folder.
        workspace_files: most files in each writable folder.
        memfd: whether programs may have memory that only a control group counts: files in memory, and shared memory
            without a file.
        environment: of programs.
        import_paths: paths inside to append to the interpreter's module path.
        preload: modules to import before the first program comes.
    """

    is_root: bool
    user_id: int
    group_id: int
    binds: list[tuple[str, str]]
    granted_paths: list[tuple[str, bool]]
    links: list[tuple[str, str]]
    masks: list[str]
    workspace_bytes: int
    workspace_files: int
    memfd: bool
    environment: dict[str, str]
    import_paths: list[str]
    preload: list[str]
