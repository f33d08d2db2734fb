"""The first code of every process of the mesh: ties its life to the supervisor's, then becomes the service.

Run as `python -m mesh.supervisor.launch <supervisor's pid> <package>`. It is done here, in the new process, because
code between fork and exec of a process with threads is not safe. It imports next to nothing, since every process
of the mesh pays for it.
"""

from __future__ import annotations

import ctypes
import os
import runpy
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def die_with(parent_pid: int) -> None:
    """Have the kernel kill this process when its parent dies, even by SIGKILL. Linux only; elsewhere does nothing.

    Raises:
        SystemExit: when the parent is dead already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # The parent may have died before the call above: then somebody else is the parent now.
    if os.getppid() != parent_pid:
        raise SystemExit("the supervisor is gone")


def main() -> None:
    """Tie this process to the supervisor, then run the package as `python -m` would."""
    parent_pid, package = int(sys.argv[1]), sys.argv[2]
    die_with(parent_pid)
    sys.argv = [package]
    runpy.run_module(package, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
