"""The npm packages `openai` and `@anthropic-ai/sdk` against the gateway: the programs are in `node/`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from gateway_fixtures import EMBEDDER, MODELS, Gateway

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


@pytest.fixture(scope="module")
def packages() -> None:
    """The packages of the lock file, installed where they are not."""
    missing = [program for program in NEEDED if shutil.which(program) is None]
    if missing:
        pytest.skip(f"not on this machine: {', '.join(missing)}")
    lock, installed = PROGRAMS / "package-lock.json", PROGRAMS / "node_modules" / ".installed-lock.json"
    if not installed.exists() or installed.read_bytes() != lock.read_bytes():
        run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", timeout_s=100)
        shutil.copy(lock, installed)


@pytest.mark.usefixtures("packages")
@pytest.mark.parametrize("model", MODELS.values())
@pytest.mark.parametrize("program", ["openai_client.mjs", "anthropic_client.mjs"])
def test_the_usual_programs_run_unchanged(gateway: Gateway, program: str, model: str) -> None:
    told = run(
        "node",
        program,
        timeout_s=60,
        GATEWAY_URL=gateway.url,
        GATEWAY_KEY=gateway.key,
        GATEWAY_MODEL=model,
        GATEWAY_EMBEDDER=EMBEDDER,
    )
    steps = [json.loads(line) for line in told.splitlines()]
    assert len(steps) >= 10
    assert [f"{step['name']}: {step['failure']}" for step in steps if step["failure"]] == []


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (PROGRAMS / "package-lock.json").read_text()
