"""Cells that do for a Python session what it cannot do by itself: run a command line, and read standard input.

They run as the untrusted program's own, in names of their own, so that its variables stay as they are.
"""

from __future__ import annotations

_SHELL = """\
import os, shutil, signal, subprocess
process = subprocess.Popen(
    [shutil.which("bash") or "sh", "-c", command],
    cwd="/work",
    stdin=subprocess.PIPE,
    start_new_session=True,
)
try:
    process.communicate(stdin.encode("utf-8", "surrogateescape"))
    code = process.returncode
except KeyboardInterrupt:
    code = 130
finally:
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
if code:
    raise SystemExit(code if code > 0 else 128 - code)
"""
_STDIN = """\
import io, sys
sys.stdin = io.TextIOWrapper(io.BytesIO(stdin.encode("utf-8", "surrogateescape")), encoding="utf-8")
"""


def shell_cell(command: str, stdin: str) -> str:
    """Return the cell that runs `command` in a shell of its own, in the workspace, and ends with its exit code.

    Interrupting it kills the shell and what runs in its foreground.
    """
    return f"exec({_SHELL!r}, {{'command': {command!r}, 'stdin': {stdin!r}}})"


def stdin_cell(stdin: str) -> str:
    """Return the cell after which the session's standard input is `stdin`."""
    return f"exec({_STDIN!r}, {{'stdin': {stdin!r}}})"
