"""A host that cannot isolate runs nothing, and says what to do."""

from __future__ import annotations

import asyncio
import errno
import json
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("sandbox_blocked.py")


@pytest.mark.parametrize(
    ("call", "number", "remedy"),
    [
        ("unshare", errno.EPERM, "--security-opt seccomp=unconfined"),
        ("clone", errno.EPERM, "--security-opt seccomp=unconfined"),
        # What the kernel says where user.max_user_namespaces is 0, or as many as it allows are there already.
        ("unshare", errno.ENOSPC, "sysctl -w user.max_user_namespaces="),
    ],
)
async def test_where_namespaces_are_refused_nothing_is_run(call: str, number: int, remedy: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(SCRIPT), call, str(number)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd="/",
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, (out + err).decode()[-3000:]
    said = json.loads(next(line for line in out.decode().splitlines() if line.startswith("RESULT "))[7:])
    assert said["available"] is False
    assert said["layers"] == ["namespaces"]
    assert remedy in said["remedy"]
    assert said["reason"] == "ISOLATION_UNAVAILABLE"
    assert said["remedy"] in said["message"]
    assert "ran" not in said
