"""Checks of the data directory and of the weights."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any, cast

from mesh.cli.checks.finding import Finding, fail, ok, warn
from mesh.local_model.settings import LocalModelSettings
from mesh.supervisor.domain.data_layout import DataLayout
from mesh.weights import sources

_GGUF_MAGIC = b"GGUF"
_SET_UP = "Run `python -m mesh.weights` (or `make setup`)."


def check_data_directory(layout: DataLayout) -> list[Finding]:
    """Return how the data directory and the keys in it are."""
    name, root = "data directory", layout.root
    try:
        root.lstat()
    except FileNotFoundError:
        return [ok(name, f"{root} is not there yet; `nexus up` makes it")]
    except OSError as error:
        return [fail(name, f"{root}: {error.strerror}", "Choose another with --data or NEXUS_DATA.")]
    if not root.is_dir():
        return [fail(name, f"{root} is not a directory", "Choose another with --data.")]
    if not os.access(root, os.R_OK | os.W_OK | os.X_OK):
        return [fail(name, f"{root} cannot be written", f"Run `chown -R {os.getuid()} {root}`, or choose another.")]
    mode = stat.S_IMODE(root.stat().st_mode)
    if mode & 0o077:
        return [fail(name, f"{root} is open to others (mode {mode:04o})", f"Run `chmod 700 {root}`.")]
    return [ok(name, str(root)), *_check_secrets(layout)]


def check_weights(local: LocalModelSettings) -> list[Finding]:
    """Return how the weights are: there, whole, and the pinned ones."""
    return [_check_chat(local), _check_embed(local)]


def _check_secrets(layout: DataLayout) -> list[Finding]:
    if not layout.secrets.is_dir():
        return []
    exposed = [path for path in sorted(layout.secrets.iterdir()) if stat.S_IMODE(path.stat().st_mode) & 0o077]
    if exposed:
        names = " ".join(str(path) for path in exposed)
        return [fail("secrets", f"open to others: {names}", f"Run `chmod 600 {names}`.")]
    return [ok("secrets", "readable by their owner alone")]


def _check_chat(local: LocalModelSettings) -> Finding:
    name, path = "chat weights", local.chat_file
    problem = _problem(name, path)
    if problem is not None:
        return problem
    if local.chat_weights is not None:
        return ok(name, f"{path}, chosen by NEXUS_LOCAL_MODEL_CHAT_WEIGHTS")
    if _sha256(path) != sources.CHAT_SHA256:
        return fail(name, f"{path} is not the pinned file", f"Remove it. {_SET_UP}")
    return ok(name, str(path))


def _check_embed(local: LocalModelSettings) -> Finding:
    name, path = "embedding weights", local.embed_file
    problem = _problem(name, path)
    if problem is not None:
        return problem
    manifest = path.with_name(sources.MANIFEST_FILE)
    try:
        expected = cast("dict[str, Any]", json.loads(manifest.read_text(encoding="utf-8"))).get("embed_sha256")
    except (OSError, ValueError):
        return warn(name, f"{manifest} cannot be read, so the file cannot be checked", _SET_UP)
    if _sha256(path) != expected:
        return fail(name, f"{path} is damaged", f"Remove it. {_SET_UP}")
    return ok(name, str(path))


def _problem(name: str, path: Path) -> Finding | None:
    try:
        with path.open("rb") as file:
            magic = file.read(len(_GGUF_MAGIC))
    except OSError as error:
        return fail(name, f"{path}: {error.strerror}", _SET_UP)
    return None if magic == _GGUF_MAGIC else fail(name, f"{path} is not a GGUF file", f"Remove it. {_SET_UP}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
