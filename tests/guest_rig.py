"""Runs the guest runtime without a sandbox: in a fork of a plain interpreter, with a socket pair for its channel."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PYTHON = os.path.realpath(getattr(sys, "_base_executable", sys.executable))
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
BOOT = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
import importlib
module, function, channel, *arguments = sys.argv[1:]
call = getattr(importlib.import_module("sandbox_service.adapters.guest." + module), function)
os._exit(call(*arguments, int(channel)))
"""


class Guest:
    """One call of the guest runtime, in a process of its own."""

    def __init__(self, module: str, function: str, *arguments: str, path: str = "/usr/bin:/bin") -> None:
        self._ended: tuple[int, str, str] | None = None
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(20)
        self._received = self.channel.makefile("rb")
        with theirs:
            command = [PYTHON, "-I", "-S", "-c", BOOT, str(ROOT), module, function, str(theirs.fileno()), *arguments]
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                env={**ENVIRONMENT, "PATH": path},
                start_new_session=True,
            )

    def frame(self) -> dict[str, Any] | None:
        """The next frame's head, with the forms of a result by type."""
        size = self._received.read(4)
        if not size:
            return None
        head = json.loads(self._received.read(int.from_bytes(size, "big")))
        if head["op"] == "result":
            head["forms"] = {kind: self._received.read(length).decode() for kind, length in head["forms"]}
        return head

    def send(self, code: str) -> None:
        body = code.encode()
        self.channel.sendall(len(body).to_bytes(4, "big") + body)

    def frames(self) -> list[dict[str, Any]]:
        """What comes until a cell is done or the channel ends."""
        found = []
        while (frame := self.frame()) is not None:
            found.append(frame)
            if frame["op"] == "done":
                break
        return found

    def cell(self, code: str) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """How a cell ended, and its results, each as forms by type."""
        self.send(code)
        *results, done = self.frames()
        return done, [frame["forms"] for frame in results]

    def cell_interrupted(self, code: str) -> dict[str, Any]:
        """How a cell ended that was interrupted once it said `b` on standard output."""
        self.send(code)
        assert self.process.stdout is not None
        while os.read(self.process.stdout.fileno(), 1) != b"b":
            pass
        self.interrupt()
        return self.frames()[-1]

    def interrupt(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str, str]:
        """Close the channel; exit code, standard output, standard error. Idempotent."""
        self._received.close()
        self.channel.close()
        if self._ended is None:
            out, err = self.process.communicate(timeout=20)
            self._ended = (self.process.returncode, out.decode(), err.decode())
        return self._ended


def run_plain(program: Path) -> tuple[int, str, str]:
    """What Python itself makes of a program."""
    done = subprocess.run(
        [PYTHON, "-I", "-B", "-u", program], stdin=subprocess.DEVNULL, capture_output=True, env=ENVIRONMENT, check=False
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()
