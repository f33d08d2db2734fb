"""Brings the images into their final state. Idempotent; nothing is done for images that are right."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import sys
import tempfile
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from mesh.images.errors import ImagesError
from mesh.images.packages import check_imports, install_packages
from mesh.images.programs import HostProgram, copy_programs, find_programs, fingerprint
from mesh.images.settings import ImagesSettings
from sandbox_service.adapters.images import layout
from sandbox_service.adapters.images.manifest import (
    ImageDamaged,
    Manifest,
    check_files,
    digest_of,
    list_files,
    read_manifest,
)
from sandbox_service.adapters.images.pointers import Pointer, read_pointer, write_pointer
from sandbox_service.adapters.images.recipes import PROGRAMS, RECIPES, Recipe

# Raised whenever the way in which images are made changes, so that older ones are made anew.
_BUILDER_VERSION = 1
_NEEDED_BYTES = 600 << 20

Progress = Callable[[str], None]


@dataclass(frozen=True)
class InstalledImage:
    """An image that is in place.

    Attributes:
        name: Its name.
        digest: `sha256:` and 64 hexadecimal digits.
        path: Its folder.
        files: How many files it has.
        size_bytes: Their size in all.
        created: Whether this run made it.
    """

    name: str
    digest: str
    path: str
    files: int
    size_bytes: int
    created: bool


def install(
    settings: ImagesSettings, names: Collection[str], progress: Progress, *, verify: bool
) -> list[InstalledImage]:
    """Makes sure that images are there and right. Needs no network when they are.

    Args:
        settings: Where, and from which lists.
        names: Which images.
        progress: Called with one line for each thing done.
        verify: Whether to read every file of images that are in place; else their number, modes and sizes are enough.

    Raises:
        ImagesError: An image is missing or wrong and cannot be made.
    """
    folder = settings.images_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            return [
                _install_one(settings, recipe, progress, verify=verify) for recipe in RECIPES if recipe.name in names
            ]
    except OSError as error:
        raise ImagesError(
            f"The folder of images {folder} cannot be used: {error.strerror or error}.",
            "Choose another with --dir or NEXUS_SANDBOX_IMAGES_DIR.",
        ) from error


def _install_one(settings: ImagesSettings, recipe: Recipe, progress: Progress, *, verify: bool) -> InstalledImage:
    programs = find_programs(PROGRAMS)
    lock = settings.images_locks / recipe.lock if recipe.lock else None
    wanted = _recipe_digest(recipe, lock, programs)
    pointer = read_pointer(settings.images_dir, recipe.name)
    if pointer and pointer.recipe == wanted:
        try:
            return _in_place(settings.images_dir, recipe.name, pointer, verify=verify)
        except ImageDamaged as error:
            progress(f"{recipe.name} is damaged ({error}); making it anew")
            shutil.rmtree(settings.images_dir / pointer.digest, ignore_errors=True)
    return _build(settings, recipe, wanted, programs, progress)


def _recipe_digest(recipe: Recipe, lock: Path | None, programs: list[HostProgram]) -> str:
    """Return a digest over all that an image is made from."""
    parts = (
        f"{_BUILDER_VERSION} {recipe} {layout.python_tag()} {_interpreter()} {fingerprint(programs)}".encode(),
        lock.read_bytes() + layout.PRELOAD_SOURCE.read_bytes() if lock else b"",
    )
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _in_place(images: Path, name: str, pointer: Pointer, *, verify: bool) -> InstalledImage:
    folder = images / pointer.digest
    manifest = read_manifest(folder, pointer.digest)
    check_files(folder, manifest, fully=verify)
    return _described(name, folder, manifest, created=False)


def _build(
    settings: ImagesSettings, recipe: Recipe, wanted: str, programs: list[HostProgram], progress: Progress
) -> InstalledImage:
    images = settings.images_dir
    if recipe.lock and shutil.disk_usage(images).free < _NEEDED_BYTES:
        raise ImagesError(
            f"{images} has less than {_NEEDED_BYTES >> 20} MB free.",
            "Free space, or choose another folder with --dir or NEXUS_SANDBOX_IMAGES_DIR.",
        )
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=images) as scratch:
        part = Path(scratch) / "image"
        part.mkdir()
        progress(f"making {recipe.name}: {len(programs)} programs")
        copy_programs(programs, _interpreter(), part / layout.PROGRAMS)
        packages: tuple[str, ...] = ()
        if recipe.lock:
            progress(f"making {recipe.name}: installing and compiling {', '.join(recipe.packages)}")
            lock = settings.images_locks / recipe.lock
            timeout_s = settings.images_install_timeout_s
            packages = install_packages(lock, recipe.packages, _interpreter(), part, timeout_s)
            check_imports(recipe.packages, _interpreter(), part)
        _seal(part)
        manifest = Manifest(recipe.name, recipe.description, layout.python_tag(), packages, list_files(part))
        encoded = manifest.encoded()
        (part / layout.MANIFEST).write_bytes(encoded)
        digest = digest_of(encoded)
        target = images / digest
        if target.exists():  # the same content, perhaps damaged since
            shutil.rmtree(target)
        part.rename(target)
    write_pointer(images, recipe.name, Pointer(digest, wanted))
    return _described(recipe.name, target, manifest, created=True)


def _seal(folder: Path) -> None:
    """Make everything readable for the users that programs run as, and writable for nobody but the folders' owner."""
    folder.chmod(0o755)
    for path in folder.rglob("*"):
        if path.is_symlink():
            continue
        if path.is_dir():
            path.chmod(0o755)
        else:
            path.chmod(0o555 if path.parent.name == layout.PROGRAMS and path.parent.parent == folder else 0o444)


def _interpreter() -> Path:
    """Return the Python that runs in sandboxes: the one below this one's virtual environment."""
    return Path(str(getattr(sys, "_base_executable", sys.executable))).resolve()


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    """Two set-ups at once wait for each other; the second then finds everything done."""
    with (folder / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _described(name: str, folder: Path, manifest: Manifest, *, created: bool) -> InstalledImage:
    size_bytes = sum(size for _, size, _ in manifest.files.values())
    return InstalledImage(name, f"sha256:{folder.name}", str(folder), len(manifest.files), size_bytes, created)
