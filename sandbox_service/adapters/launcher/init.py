"""PID 1 of a sandbox: builds the rest of its isolation, starts its program, serves the service, and ends it all.

Everything in here is trusted code; the program is a child of it and cannot look into it, signal it or reach its line.
"""

from __future__ import annotations

import os
import select
import signal
import socket
from contextlib import suppress

from sandbox_service.adapters.egress import doorway
from sandbox_service.adapters.launcher import files, kernel, mounts, privileges, program, seccomp, usage
from sandbox_service.adapters.launcher.layout import PROGRAM_FOLDER, Blueprint
from sandbox_service.adapters.launcher.wire import Message, receive, send

_TICK_MS = 25
_PIECE_BYTES = 56 << 10  # of a packet, in JSON at its worst: six bytes for each one of a path
_MOST_KILLABLE = b"1000"


class Init:
    """The life of one sandbox.

    Args:
        line: to the service.
        blueprint: how sandboxes look.
        network: whether the program may open TCP connections, all of which end at the service's proxy.
    """

    def __init__(self, line: socket.socket, blueprint: Blueprint, *, network: bool) -> None:
        self._line = line
        self._blueprint = blueprint
        self._network = network
        self._killable_fd = -1
        self._usage = usage.Usage(-1)  # until there is a /proc
        self._guest = 0
        self._memory_bytes = 0
        self._peak_bytes = 0

    def build(self, proc_fd: int) -> None:
        """Build the isolation from inside; says `ready` or `failed`."""
        stage = "root"
        try:
            # Python's handler for SIGINT would let a program interrupt PID 1, which ignores what it does not handle.
            kernel.default_signal(signal.SIGINT)
            self._usage = usage.Usage(mounts.build_private(self._blueprint))
            kernel.set_hostname("sandbox")
            stage = "network"
            door = doorway.open_listener() if self._network else None
            stage = "privileges"
            # The files of /proc/self belong to root while a process is not dumpable.
            kernel.prctl(kernel.PR_SET_DUMPABLE, 1)
            self._killable_fd = os.open("self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, dir_fd=proc_fd)
            privileges.drop(proc_fd)
            os.close(proc_fd)
            stage = "seccomp"
            kernel.load_seccomp(seccomp.filter_of(memfd=self._blueprint.memfd, network=self._network))
        except OSError as error:
            send(self._line, {"event": "failed", "stage": stage, "errno": error.errno or 0})
            os._exit(1)
        if door is None:
            send(self._line, {"event": "ready"})
        else:
            with door:  # the service accepts there; nobody inside holds it
                send(self._line, {"event": "ready"}, (door.fileno(),))

    def serve(self) -> None:
        """Do what the service asks until it closes the line."""
        woken, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        poller = select.poll()
        poller.register(self._line, select.POLLIN)
        poller.register(woken, select.POLLIN)
        while True:
            ready = poller.poll(_TICK_MS if self._guest and self._memory_bytes else None)
            for fd, _ in ready:
                if fd == woken:
                    os.read(woken, 512)
                    self._reap()
                elif not self._obey():
                    return
            if self._guest and self._memory_bytes and self._exceeds():
                self._end_program("memory")

    def _exceeds(self) -> bool:
        found = self._usage.memory_bytes(self._memory_bytes)
        self._peak_bytes = max(self._peak_bytes, found)
        return found > self._memory_bytes

    def _reap(self) -> None:
        """Collect the children that ended."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._guest:
                self._ended(status, "")
                return

    def _end_program(self, why: str) -> None:
        """Kill the program, if it runs, and all that it started."""
        if self._guest:
            os.kill(self._guest, signal.SIGKILL)
            _, status = os.waitpid(self._guest, 0)
            self._ended(status, why)

    def _ended(self, status: int, killed: str) -> None:
        """Kill what the program has left, and report."""
        self._guest = 0
        with suppress(ProcessLookupError):  # nothing is left
            os.kill(-1, signal.SIGKILL)
        while True:
            try:
                os.waitpid(-1, 0)
            except ChildProcessError:
                break
        code = os.waitstatus_to_exitcode(status)
        self._tell(
            {
                "event": "ended",
                "exit": max(code, -1),
                "signal": max(-code, 0),
                "killed": killed,
                "cpu_us": self._usage.cpu_us(),
                "peak_bytes": self._peak_bytes,
            }
        )

    def _tell(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:
        try:
            send(self._line, message, descriptors)
        except OSError:
            os._exit(0)  # whoever asked has left, and all of it ends

    def _obey(self) -> bool:
        """Do one thing that the service asks; say whether there is more to come."""
        message, descriptors = receive(self._line)
        if message is None:
            return False
        try:
            getattr(self, f"_do_{message['op']}")(message, descriptors)
        except files.RefusedFileError as refusal:
            self._tell({"re": message["op"], "error": refusal.reason})
        finally:
            for fd in descriptors:
                os.close(fd)
        return True

    def _do_start(self, order: Message, descriptors: list[int]) -> None:
        self._memory_bytes = int(order["watched_memory_bytes"])
        if "code" in order:
            path = f"{PROGRAM_FOLDER}/{order['code']}"
            content, *descriptors = descriptors
            self._write_program(path, content)
            order["path"] = path
        # The program inherits that it is the first to be killed when memory runs out; PID 1 stays the last.
        os.write(self._killable_fd, _MOST_KILLABLE)
        guest = os.fork()
        if guest == 0:
            program.become(order, descriptors, self._line.detach())
        os.write(self._killable_fd, b"0")
        self._guest = guest
        self._tell({"re": "start"})

    def _write_program(self, path: str, content: int) -> None:
        target = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o444)
        try:
            os.sendfile(target, content, 0, os.fstat(content).st_size)
        finally:
            os.close(target)
        os.chmod(PROGRAM_FOLDER, 0o500)  # noqa: PTH101

    def _do_signal(self, order: Message, _descriptors: list[int]) -> None:
        if self._guest:
            with suppress(ProcessLookupError):  # it ends just now
                os.killpg(self._guest, int(order["number"]))

    def _do_kill(self, _order: Message, _descriptors: list[int]) -> None:
        self._end_program("asked")

    def _do_usage(self, _order: Message, _descriptors: list[int]) -> None:
        self._tell({"re": "usage", "cpu_us": self._usage.cpu_us(), "peak_bytes": self._peak_bytes})

    def _do_write(self, order: Message, descriptors: list[int]) -> None:
        size = files.write(order["path"], int(order["offset"]), descriptors[0])
        self._tell({"re": "write", "size": size})

    def _do_open(self, order: Message, _descriptors: list[int]) -> None:
        fd = files.open_for_reading(order["path"])
        self._tell({"re": "open"}, (fd,))
        os.close(fd)

    def _do_list(self, _order: Message, _descriptors: list[int]) -> None:
        found, truncated = files.list_files()
        pieces = _pieces(found)
        for number, piece in enumerate(pieces, 1):
            self._tell({"re": "list", "files": piece, "more": number < len(pieces), "truncated": truncated})


def _pieces(found: list[tuple[str, int, int]]) -> list[list[tuple[str, int, int]]]:
    """Return what was found in parts that fit into packets; at least one."""
    pieces: list[list[tuple[str, int, int]]] = [[]]
    room = _PIECE_BYTES
    for file in found:
        size = 6 * len(file[0].encode()) + 60
        if size > room:
            pieces.append([])
            room = _PIECE_BYTES
        room -= size
        pieces[-1].append(file)
    return pieces
