"""PID 1 of a container: does what the PID 1 of any sandbox does, with frames where descriptors cannot travel.

Started by the runtime, which has built the isolation around it. Standard library alone, and trusted: the program is a
child of it and cannot look into it. On gVisor a program can open by name what PID 1 has open, sockets apart: so the
line is a socket, and nothing else that PID 1 keeps is worth more than the program's own.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import select
import signal
import socket
import sys

from sandbox_service.adapters.launcher import files, kernel, seccomp, wire
from sandbox_service.adapters.launcher.init import Init
from sandbox_service.adapters.launcher.layout import Blueprint
from sandbox_service.adapters.launcher.usage import Usage
from sandbox_service.adapters.oci.frames import MAX_CONTENT_BYTES, Decoder, FrameError, Message, encode
from sandbox_service.adapters.oci.pumps import CHANNEL, STDERR, STDIN, STDOUT, Sink, Source

PACKAGES_INSIDE = "/nexus"
BOOTSTRAP = (
    "import sys; sys.path.insert(0, sys.argv[1]); from sandbox_service.adapters.oci.contained import main; main()"
)
"""Started as `python -I -S -B -u -c <BOOTSTRAP> <PACKAGES_INSIDE>`."""
_ORDERS_FD, _ANSWERS_FD, _ERRORS_FD = range(3)
_TICK_MS = 25
_READ_BYTES = 256 << 10
_WRITE_BYTES = 32 << 10
_READ_WHOLE_LOG = 3
_LOG_BYTES = 4096


def _sees_gvisor() -> bool:
    """Return whether the kernel's own log is gVisor's."""
    log = ctypes.create_string_buffer(_LOG_BYTES)
    libc = ctypes.CDLL(None)
    return libc.klogctl(_READ_WHOLE_LOG, log, _LOG_BYTES) > 0 and b"Starting gVisor" in log.raw


def _gvisor_bytes() -> int:
    """Return the memory of all that runs on gVisor's kernel, files in memory and shared pages counted once."""
    with open("/proc/meminfo", "rb") as file:  # noqa: PTH123  it is read 40 times a second
        found = {line.split()[0]: int(line.split()[1]) << 10 for line in file}
    return found[b"MemTotal:"] - found[b"MemFree:"]


class ContainedInit(Init):
    """The life of one container."""

    def __init__(self, blueprint: Blueprint) -> None:
        # A program whose last steps before its start fail tells so on a line; here it leads to PID 1 itself.
        line, self._failures = wire.pair()
        super().__init__(line, blueprint, network=False)
        self._failures.setblocking(False)  # noqa: FBT003
        self._decoder = Decoder()
        self._writable = select.poll()
        self._writable.register(_ANSWERS_FD, select.POLLOUT)
        self._scratch = os.memfd_create("content")
        self._sources: dict[int, Source] = {}
        self._sinks: dict[int, Sink] = {}
        self._held: bytes | None = None
        self._due: dict[int, int] = {}
        self._ordered = True
        self._open = True
        self._bytes_before = -1

    def confine(self) -> None:
        """Give up what the runtime has left; says `ready` or `failed`."""
        stage = "privileges"
        gvisor = _sees_gvisor()
        if gvisor:
            self._bytes_before = _gvisor_bytes()
        try:
            kernel.default_signal(signal.SIGINT)
            self._usage = Usage(os.open("/proc", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            self._killable_fd = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
            kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
            kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
            # Errors of the start are for the service to read; later on, a program could write to that file.
            nowhere = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
            os.dup2(nowhere, _ERRORS_FD)
            os.close(nowhere)
            stage = "seccomp"
            kernel.load_seccomp(seccomp.filter_of(memfd=False, network=False))
        except OSError as error:
            self._tell({"event": "failed", "stage": stage, "errno": error.errno or 0})
            os._exit(1)
        self._tell({"event": "ready", "gvisor": gvisor})

    def serve(self) -> None:
        """Do what the service asks until it closes the pipe."""
        woken, waker = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        while self._open:
            watching = bool(self._guest and self._memory_bytes)
            ready = self._wait(woken, _TICK_MS if watching else None)
            if woken in ready:
                os.read(woken, 512)
                self._reap()
            if self._failures.fileno() in ready:
                self._pass_failures()
            self._pump()
            if _ORDERS_FD in ready:
                self._take_orders()
            if watching and self._guest and self._exceeds():
                self._end_program("memory")

    def _wait(self, woken: int, timeout_ms: int | None) -> set[int]:
        poller = select.poll()
        for fd in (_ORDERS_FD, woken, self._failures.fileno()):
            poller.register(fd, select.POLLIN)
        for number, source in self._sources.items():
            if source.is_wanted and not (number == CHANNEL and self._held is not None):
                poller.register(source.fd, select.POLLIN)
        for sink in self._sinks.values():
            if sink.is_wanted:
                poller.register(sink.fd, select.POLLOUT)
        return {fd for fd, _ in poller.poll(timeout_ms)}

    def _exceeds(self) -> bool:
        if self._bytes_before < 0:
            return super()._exceeds()
        # Its own /proc counts what forks share for each of them.
        found = max(0, _gvisor_bytes() - self._bytes_before)
        self._peak_bytes = max(self._peak_bytes, found)
        return found > self._memory_bytes

    # From the service.

    def _take_orders(self) -> None:
        try:
            data = os.read(_ORDERS_FD, _READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        try:
            frames = self._decoder.feed(data)
        except FrameError:
            frames, data = [], b""
        for message, content in frames:
            if "s" in message:
                self._take_piece(message, content)
            else:
                self._do(message, content)
        self._open = bool(data)

    def _take_piece(self, message: Message, content: bytes) -> None:
        number = int(message["s"])
        source, sink = self._sources.get(number), self._sinks.get(number)
        if source and "room" in message:
            source.give_room(int(message["room"]))
        if sink and content:
            self._ordered = True  # a new cell
            self._give_room(number, sink.write(content))
        if sink and message.get("end"):
            sink.end()

    def _do(self, message: Message, content: bytes) -> None:
        os.ftruncate(self._scratch, 0)
        os.pwrite(self._scratch, content, 0)
        try:
            getattr(self, f"_do_{message['op']}")(message, [self._scratch])
        except files.RefusedFileError as refusal:
            self._tell({"re": message["op"], "error": refusal.reason})

    def _do_start(self, order: Message, descriptors: list[int]) -> None:
        theirs = self._open_streams(channel=bool(order["channel"]))
        before = descriptors if "code" in order else []
        try:
            super()._do_start(order, [*before, *theirs])
        finally:
            for fd in theirs:
                os.close(fd)

    def _do_signal(self, order: Message, descriptors: list[int]) -> None:
        self._ordered = False
        super()._do_signal(order, descriptors)

    def _do_kill(self, order: Message, descriptors: list[int]) -> None:
        self._ordered = False
        super()._do_kill(order, descriptors)

    def _do_open(self, order: Message, _descriptors: list[int]) -> None:
        fd = files.open_for_reading(order["path"])
        offset = int(order["offset"])
        try:
            content = os.pread(fd, min(int(order["length"]), MAX_CONTENT_BYTES), offset)
            self._put({"re": "open", "size": os.fstat(fd).st_size, "offset": offset}, content)
        finally:
            os.close(fd)

    def _open_streams(self, *, channel: bool) -> list[int]:
        """Make a program's streams and return its ends of them."""
        stdin, to_stdin = os.pipe2(os.O_CLOEXEC)
        from_stdout, stdout = os.pipe2(os.O_CLOEXEC)
        from_stderr, stderr = os.pipe2(os.O_CLOEXEC)
        self._sinks = {STDIN: Sink(to_stdin)}
        self._sources = {STDOUT: Source(from_stdout), STDERR: Source(from_stderr)}
        theirs = [stdin, stdout, stderr]
        if channel:
            ours, its = socket.socketpair()
            self._sinks[CHANNEL] = Sink(os.dup(ours.fileno()))
            self._sources[CHANNEL] = Source(ours.detach())
            theirs.append(its.detach())
        return theirs

    # To the service.

    def _tell(self, message: Message, descriptors: tuple[int, ...] = ()) -> None:  # noqa: ARG002  there are none here
        if message.get("event") == "ended":
            self._pass_failures()
            self._ordered = False
        self._put(message)

    def _put(self, message: Message, content: bytes = b"") -> None:
        left = memoryview(encode(message, content))
        while left:
            try:
                # gVisor passes no more than a socket's buffer holds at a time, and does not wait for room.
                left = left[os.write(_ANSWERS_FD, left[:_WRITE_BYTES]) :]
            except BlockingIOError:
                self._writable.poll()
            except OSError:
                os._exit(0)  # whoever asked has left, and all of it ends

    def _give_room(self, number: int, size: int) -> None:
        if size:
            self._put({"s": number, "room": size})
        if self._sinks[number].fd < 0 and number == STDIN:
            self._put({"s": number, "end": True})

    def _pass_failures(self) -> None:
        while True:
            try:
                packet = self._failures.recv(wire.MAX_PACKET_BYTES)
            except BlockingIOError:
                return
            self._put(json.loads(packet))

    def _pump(self) -> None:
        for number, sink in self._sinks.items():
            if sink.is_wanted:
                self._give_room(number, sink.flush())
        for number in (STDOUT, STDERR):
            self._forward(number)
        self._forward_channel()

    def _forward(self, number: int) -> None:
        """Send what a stream has, once."""
        source = self._sources.get(number)
        data = source.read() if source else None
        if source is None or data is None:
            return
        self._due[number] = self._due.get(number, 0) - len(data)
        if data:
            self._put({"s": number}, data)
        else:
            source.close()
            self._put({"s": number, "end": True})

    def _forward_channel(self) -> None:
        """Send what the channel has, behind everything that was written before it.

        Who is told that a cell is done may then believe to have all of its output.
        """
        channel = self._sources.get(CHANNEL)
        if channel is None:
            return
        if self._held is None:
            self._held = channel.read()
            self._due = {number: self._sources[number].waiting_bytes() for number in (STDOUT, STDERR)}
        if self._held is None or (self._ordered and any(self._lacks(number) for number in (STDOUT, STDERR))):
            return
        held, self._held = self._held, None
        self._put({"s": CHANNEL, **({} if held else {"end": True})}, held)
        if not held:
            channel.close()
            self._sinks[CHANNEL].close()

    def _lacks(self, number: int) -> bool:
        return self._sources[number].fd >= 0 and self._due[number] > 0


def main() -> None:
    """Run PID 1; exits 0 when the service closes the pipe, 1 when the isolation could not be built."""
    os.umask(0o022)
    sys.path[:] = [path for path in sys.path if path != PACKAGES_INSIDE]
    with open(f"{PACKAGES_INSIDE}/blueprint.json", "rb") as file:  # noqa: PTH123  pathlib is not needed otherwise
        blueprint = Blueprint(**json.load(file))
    sys.path += blueprint.import_paths
    init = ContainedInit(blueprint)
    for name in blueprint.preload:
        importlib.import_module(name)
    init.confine()
    init.serve()
    os._exit(0)
