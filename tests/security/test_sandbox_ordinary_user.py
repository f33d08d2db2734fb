"""The sandbox isolates for an ordinary user too, through user namespaces, and says what is weaker there."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sandbox_abuses import ABUSES

pytestmark = pytest.mark.asyncio(loop_scope="module")

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


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def said() -> dict[str, Any]:
    """What a service of an ordinary user said of itself and of all the abuses, which it has been put to."""
    if os.geteuid() != 0:
        pytest.skip("the other tests run as an ordinary user already")
    if reason := _userns_forbidden():
        pytest.skip(reason)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd="/"
    )
    out, err = await asyncio.wait_for(process.communicate(), 100)
    assert process.returncode == 0, (out + err).decode()[-3000:]
    return json.loads(next(line for line in out.decode().splitlines() if line.startswith("RESULT "))[7:])


async def test_an_ordinary_user_gets_the_same_isolation(said: dict[str, Any]) -> None:
    assert all(enforced for enforced, _ in said["layers"].values()), said["layers"]
    assert "no writable control group" in said["layers"]["memory_limit"][1]
    assert said["identity"].startswith("(1000, 1000, 1000) False []")
    assert "CapEff:\\t0000000000000000" in said["identity"]
    assert "Seccomp:\\t2" in said["identity"]
    assert said["pool"] == "[1]\n"
    assert 180 < said["burn"][0] < 1000
    assert said["burn"][1] > 30_000_000


@pytest.mark.parametrize("name", ABUSES)
async def test_abuses_are_contained_for_an_ordinary_user(said: dict[str, Any], name: str) -> None:
    assert said["abuses"][name] == ""
