"""Starts processes with asyncio, each in a session of its own, tied to the life of this process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, STDOUT, Process
from contextlib import suppress
from pathlib import Path

from mesh.supervisor.adapters.log_files import open_log
from mesh.supervisor.domain.process_spec import ProcessSpec
from shared.errors import UpstreamDown

_PRIVATE_UMASK = 0o077


class AsyncioChild:
    """A child process that leads a process group."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id, which is that of its process group too."""
        return self._process.pid

    async def wait(self) -> str:
        """Wait for its end, kill what is left of its group, and return how it ended."""
        code = await self._process.wait()
        self._kill_group()
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return f"killed by {signal.Signals(-code).name}"
        return f"killed by signal {-code}"

    def terminate(self) -> None:
        """Send SIGTERM to the process, not to its group: it stops its own children in its own order."""
        if self._process.returncode is None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL to the whole group."""
        if self._process.returncode is None:
            self._kill_group()

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)


class AsyncioLauncher:
    """Starts `python -m <package>` through `mesh.supervisor.launch`."""

    async def launch(self, spec: ProcessSpec) -> AsyncioChild:
        """Start the process with its output going to its log.

        Raises:
            UpstreamDown: reason LAUNCH_FAILED, when the machine cannot start it now.
        """
        log_file = Path(spec.log_file)
        try:
            await asyncio.to_thread(_remove_sockets, spec)
            log = await asyncio.to_thread(open_log, log_file)
            try:
                # -P: what lies in the working directory is never imported.
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-P", "-m", "mesh.supervisor.launch", str(os.getpid()), spec.module),
                    env=dict(spec.environment),
                    cwd=log_file.parent.parent,
                    stdin=DEVNULL,
                    stdout=log,
                    stderr=STDOUT,
                    start_new_session=True,
                    umask=_PRIVATE_UMASK,
                )
            finally:
                os.close(log)
        except OSError as error:
            raise UpstreamDown("LAUNCH_FAILED", f"{spec.name} cannot be started: {error.strerror}.") from error
        return AsyncioChild(process)


def _remove_sockets(spec: ProcessSpec) -> None:
    for socket in spec.sockets:
        Path(socket).unlink(missing_ok=True)
