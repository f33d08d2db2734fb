"""The npm packages of `node/`, and programs that use them."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent / "node"
NEEDED = ("node", "npm")


def run(*command: str, timeout_s: float, **variables: str) -> str:
    environment = {**os.environ, "NO_COLOR": "1", **variables}
    done = subprocess.run(
        [str(shutil.which(command[0])), *command[1:]],
        cwd=PROGRAMS,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of the packages of the lock file, installed where they are not."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    lock, installed = PROGRAMS / "package-lock.json", PROGRAMS / "node_modules" / ".installed-lock.json"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", timeout_s=100)
        shutil.copy(lock, installed)
    return PROGRAMS / "node_modules"
