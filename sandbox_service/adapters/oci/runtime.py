"""An OCI runtime of the operator's: starts containers and removes what a killed one leaves."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from sandbox_service.adapters.launcher.wire import Message
from sandbox_service.adapters.oci.line import ContainerLine

_SAID_BYTES = 1000
_TIMEOUT_S = 20.0
_ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
# No network but its own loopback, and nothing of the host to write to.
_RUNSC_OPTIONS = ("--network=none", "--overlay2=none")


class OciRuntime:
    """One runtime.

    Args:
        executable: its path.
        state: folder of what it keeps of its containers, for this service alone.
    """

    def __init__(self, executable: Path, state: Path) -> None:
        self._executable = executable
        self._state = state
        self._is_runsc = False

    def version(self) -> str:
        """Ask it for its version, which tells what it is.

        Raises:
            OSError: when it is no program that runs.
        """
        asked = self._run("--version")
        if asked.returncode:
            raise OSError(0, f"`{self._executable} --version` ended with {asked.returncode}")
        line = asked.stdout.decode(errors="replace").partition("\n")[0][:200]
        self._is_runsc = line.startswith("runsc ")
        return line

    @property
    def is_runsc(self) -> bool:
        """Whether it says that it is gVisor's."""
        return self._is_runsc

    def start(self, name: str, folder: Path) -> Container:
        """Start the container of the bundle in `folder`.

        Raises:
            OSError: when no process can be made.
        """
        # No pipes: on gVisor a program could open a pipe of PID 1's by its name in /proc, but never a socket.
        ours, theirs = socket.socketpair()
        try:
            with (folder / "said").open("wb") as said:
                process = subprocess.Popen(  # noqa: S603  no shell; the operator names the program
                    [*self._command(), "run", "--bundle", str(folder), name],
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=said,
                    env=_ENVIRONMENT,
                    start_new_session=True,
                    cwd=os.sep,
                )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return Container(self, name, folder, process, os.pidfd_open(process.pid), ours)

    def kill(self, name: str) -> None:
        """Kill all that runs in a container, which ends it. Idempotent."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._run("kill", name, "KILL")

    def delete(self, name: str) -> None:
        """Remove what the runtime keeps of a container, which it kills if it is still there. Idempotent."""
        with suppress(OSError, subprocess.TimeoutExpired):
            self._run("delete", "--force", name)

    def knows(self, name: str) -> bool:
        """Return whether it keeps anything of a container."""
        return any(self._state.glob(f"*{name}*"))

    def _command(self) -> list[str]:
        options = _RUNSC_OPTIONS if self._is_runsc else ()
        return [str(self._executable), "--root", str(self._state), *options]

    def _run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603  no shell; the operator names the program
            [*self._command(), *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=_ENVIRONMENT,
            timeout=_TIMEOUT_S,
            check=False,
            cwd=os.sep,
        )


@dataclass(frozen=True, slots=True)
class Container:
    """A container that has been started.

    Attributes:
        runtime: what has started it.
        name: its id there.
        folder: its bundle.
        process: the runtime's, which ends with it.
        pidfd: of that process.
        end: the service's end of its standard input and output.
    """

    runtime: OciRuntime
    name: str
    folder: Path
    process: subprocess.Popen[bytes]
    pidfd: int
    end: socket.socket

    def open_line(self, on_event: Callable[[Message, list[int]], None]) -> ContainerLine:
        """Return the line to its PID 1; meant to be called once."""
        return ContainerLine(self.end, on_event)

    def said(self) -> str:
        """Return the end of what the runtime has said, which no program can write to."""
        with suppress(OSError):
            return (self.folder / "said").read_bytes()[-_SAID_BYTES:].decode(errors="replace").strip()
        return ""

    def remove(self) -> None:
        """Remove what is left of it, when its process has ended. Idempotent."""
        self.process.wait()
        if self.runtime.knows(self.name):
            self.runtime.delete(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)
