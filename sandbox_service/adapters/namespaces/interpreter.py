"""What of the host's file system an interpreter needs to run: as little as possible, all of it read-only."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_LIBRARY_FOLDERS = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_FILES = ("/etc/ld.so.cache", "/usr/share/zoneinfo")
_THIRD_PARTY = ("python*/site-packages", "python*/dist-packages")


@dataclass(frozen=True, slots=True)
class InterpreterLayout:
    """The paths of one interpreter.

    Attributes:
        executable: the interpreter, free of symbolic links.
        binds: files and folders to show, at the same place as on the host.
        links: (target, link) of symbolic links to make.
        masks: folders inside `binds` to show empty: packages that are not the standard library.
    """

    executable: Path
    binds: tuple[Path, ...]
    links: tuple[tuple[str, str], ...]
    masks: tuple[Path, ...]


def layout_of_this_interpreter(extra: Sequence[Path] = ()) -> InterpreterLayout:
    """Return the layout of the interpreter that runs the service, virtual environments looked through.

    Args:
        extra: further read-only paths, for hosts that keep shared libraries elsewhere (for example /nix/store).
    """
    executable = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    binds: list[Path] = []
    links: list[tuple[str, str]] = []
    for name in _LIBRARY_FOLDERS:
        folder = Path(name)
        if folder.is_symlink():
            links.append((str(folder.readlink()), name))
        elif folder.is_dir():
            binds.append(folder)
    binds += [executable, *_own_libraries(executable), *(Path(name) for name in _FILES if Path(name).exists()), *extra]
    links.append(("usr/bin", "/bin"))  # where an image's programs are, on every host
    shown = _without_nested(binds)
    masks = {mask for bind in shown for pattern in _THIRD_PARTY for mask in bind.glob(pattern) if mask.is_dir()}
    return InterpreterLayout(executable, shown, tuple(links), tuple(sorted(masks)))


def _own_libraries(executable: Path) -> list[Path]:
    """Return the folders of the standard library, and the interpreter's shared library where it lies elsewhere."""
    # The interpreter finds its library beside itself, wherever a symbolic link has led to it.
    found = [executable.parents[1] / sys.platlibdir, Path(sysconfig.get_path("stdlib")).parent]
    folder, name = sysconfig.get_config_vars("LIBDIR", "INSTSONAME")
    if sysconfig.get_config_var("Py_ENABLE_SHARED") and folder and name:
        found.append(Path(str(folder), str(name)))
    return [path for path in found if path.exists()]


def _without_nested(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Return the paths that lie inside none of the others, without doubles."""
    unique = sorted(set(paths))
    return tuple(p for p in unique if not any(other in p.parents for other in unique))
