"""The sandbox isolates for an ordinary user too, through user namespaces, and says what is weaker there."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from sandbox_rig import OUT_OF_MEMORY, OUTPUT_LIMIT, TIMEOUT

SCRIPT = Path(__file__).with_name("sandbox_as_user.py")


def _userns_forbidden() -> str:
    for name, value in (
        ("kernel/unprivileged_userns_clone", "0"),
        ("kernel/apparmor_restrict_unprivileged_userns", "1"),
        ("user/max_user_namespaces", "0"),
    ):
        path = Path("/proc/sys", name)
        if path.exists() and path.read_text().strip() == value:
            return f"this host forbids user namespaces to ordinary users: {path} is {value}"
    return ""


async def test_an_ordinary_user_gets_the_same_isolation() -> None:
    if os.geteuid() != 0:
        pytest.skip("the other tests run as an ordinary user already")
    if reason := _userns_forbidden():
        pytest.skip(reason)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd="/"
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, (out + err).decode()[-3000:]
    said = json.loads(next(line for line in out.decode().splitlines() if line.startswith("RESULT "))[7:])
    assert all(enforced for enforced, _ in said["layers"].values()), said["layers"]
    assert "no writable control group" in said["layers"]["memory_limit"][1]
    assert said["identity"].startswith("(1000, 1000, 1000) False []")
    assert "CapEff:\\t0000000000000000" in said["identity"]
    assert "Seccomp:\\t2" in said["identity"]
    assert said["pool"] == "[1]\n"
    assert (said["loop"], said["bomb"]) == (TIMEOUT, TIMEOUT)
    assert (said["hog"], said["tree"]) == (OUT_OF_MEMORY, OUT_OF_MEMORY)
    assert said["flood"] == OUTPUT_LIMIT
    assert 180 < said["burn"][0] < 1000
    assert said["burn"][1] > 30_000_000
    assert said["left"] == 0
