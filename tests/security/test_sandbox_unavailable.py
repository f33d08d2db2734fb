"""A host that cannot isolate runs nothing, and says what to do."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_name("sandbox_blocked.py")


async def test_where_namespaces_are_refused_nothing_is_run() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(SCRIPT), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, cwd="/"
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, (out + err).decode()[-3000:]
    said = json.loads(next(line for line in out.decode().splitlines() if line.startswith("RESULT "))[7:])
    assert said["available"] is False
    assert said["layers"] == ["namespaces"]
    assert "--security-opt seccomp=unconfined" in said["remedy"]
    assert said["reason"] == "ISOLATION_UNAVAILABLE"
    assert said["remedy"] in said["message"]
    assert "ran" not in said
