"""Installs the locked packages of an image. Names no index: where packages come from is uv's configuration."""

from __future__ import annotations

import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from mesh.images.commands import run_command
from mesh.images.errors import ImagesError
from sandbox_service.adapters.images import layout

_COMPILE_TIMEOUT_S = 600.0
_CHECK_TIMEOUT_S = 120.0
_REMEDY = "Check the network and uv's index settings, then run this again; what was downloaded is kept by uv."
_FONT_LIST = """
import sys
sys.path.insert(0, sys.argv[1])
import matplotlib.font_manager as fonts
found = fonts.findSystemFonts
fonts.findSystemFonts = lambda fontpaths=None, fontext="ttf": found(fontpaths, fontext) if fontpaths else []
fonts._load_fontmanager(try_read_cache=False)
"""
_CHECK = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
for name in sys.argv[2:]:
    importlib.import_module(name)
"""


def install_packages(
    lock: Path, preload: tuple[str, ...], interpreter: Path, image: Path, timeout_s: float
) -> tuple[str, ...]:
    """Install what `lock` names into the new image, compiled to bytecode, with the list of fonts.

    Args:
        lock: the packages with their exact versions and hashes.
        preload: what a zygote imports, in this order.
        interpreter: the Python that runs in sandboxes.
        image: the image's folder.
        timeout_s: most seconds for downloads.

    Returns:
        `name==version` of each, by name.

    Raises:
        ImagesError: when a package cannot be had, or has another content than the lock says.
    """
    site, fonts = image / layout.PACKAGES, image / layout.FONTS
    run_command(_uv_install(lock, interpreter, site), timeout_s, _REMEDY)
    _prune(site)
    module = f"{layout.PRELOAD_SOURCE.read_text(encoding='utf-8')}\n\nimport_all({preload!r})\n"
    (site / f"{layout.PRELOAD}.py").write_text(module, encoding="utf-8")
    _compile(site, interpreter)
    fonts.mkdir()
    environment = {"MPLCONFIGDIR": str(fonts), "LANG": "C.UTF-8"}
    run_command([str(interpreter), "-I", "-B", "-c", _FONT_LIST, str(site)], _CHECK_TIMEOUT_S, _REMEDY, environment)
    return _installed(site)


def check_imports(names: tuple[str, ...], interpreter: Path, image: Path) -> None:
    """Import the packages of an image in an interpreter of its own.

    Raises:
        ImagesError: when one cannot be imported.
    """
    site = str(image / layout.PACKAGES)
    environment = {"MPLCONFIGDIR": str(image / layout.FONTS), "MPLBACKEND": "agg", "LANG": "C.UTF-8"}
    remedy = "The packages do not work with this Python; name another with make setup PYTHON=..."
    run_command([str(interpreter), "-I", "-B", "-c", _CHECK, site, *names], _CHECK_TIMEOUT_S, remedy, environment)


def _uv_install(lock: Path, interpreter: Path, site: Path) -> list[str]:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or shutil.which("uv")
    if uv is None:
        raise ImagesError("uv is missing, which installs the packages of images.", "Install uv, or run `make setup`.")
    return [
        *(uv, "pip", "install", "--quiet", "--system-certs", "--python", str(interpreter), "--target", str(site)),
        # Copies: a hard link would be changed with uv's cache. Wheels alone: building runs code.
        *("--link-mode", "copy", "--only-binary", ":all:", "--no-deps", "--require-hashes", "-r", str(lock)),
    ]


def _prune(site: Path) -> None:
    """Take out what no program imports: tests, which are a third of it, and command lines."""
    for folder in [path for path in site.rglob("tests") if path.is_dir()]:
        shutil.rmtree(folder)
    shutil.rmtree(site / "bin", ignore_errors=True)
    (site / ".lock").unlink(missing_ok=True)


def _compile(site: Path, interpreter: Path) -> None:
    """Compile all modules. The bytecode is not checked against its source, whose time stamp would make it differ."""
    command = [
        *(str(interpreter), "-I", "-m", "compileall", "-q", "-j", "0", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(site), "-p", layout.PACKAGES_INSIDE, str(site)),
    ]
    run_command(command, _COMPILE_TIMEOUT_S, "Run this again.")


def _installed(site: Path) -> tuple[str, ...]:
    found = metadata.distributions(path=[str(site)])
    return tuple(sorted(f"{re.sub(r'[-_.]+', '-', one.name).lower()}=={one.version}" for one in found))
