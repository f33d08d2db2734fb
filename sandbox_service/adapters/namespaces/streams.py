"""The descriptors of a program: what it reads and where it writes."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from dataclasses import dataclass, field

_SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

_MFD_NOEXEC_SEAL = 0x8


def _memory_file(name: str) -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(name, flags | _MFD_NOEXEC_SEAL)  # Linux 6.3
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return os.memfd_create(name, flags)


def sealed(name: str, content: bytes) -> int:
    """Return a descriptor of a file in memory that nobody can change, nor run as a program from Linux 6.3 on."""
    fd = _memory_file(name)
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
    os.lseek(fd, 0, os.SEEK_SET)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    return fd


@dataclass(slots=True)
class Streams:
    """The service's ends of a program's streams, none of which waits; `close` them.

    Attributes:
        stdout_fd, stderr_fd: to read.
        channel: results come out of it and cells go into it; None for a program that has none.
        stdin_fd: to write; -1 when the program's input was given to it whole.
        theirs: the program's ends, in the order of their numbers; closed by `hand_over`.
    """

    stdout_fd: int
    stderr_fd: int
    channel: socket.socket | None
    stdin_fd: int
    theirs: list[int] = field(default_factory=list[int])

    def handed_over(self) -> None:
        """Close the program's ends, which it has copies of. Idempotent."""
        while self.theirs:
            os.close(self.theirs.pop())

    def close(self) -> None:
        """Close everything. Idempotent."""
        self.handed_over()
        for fd in (self.stdout_fd, self.stderr_fd, self.stdin_fd):
            if fd >= 0:
                os.close(fd)
        self.stdout_fd = self.stderr_fd = self.stdin_fd = -1
        if self.channel:
            self.channel.close()
            self.channel = None


def open_streams(user_id: int, stdin: bytes | None, *, channel: bool) -> Streams:
    """Return the streams of a program.

    Args:
        user_id: host user that may open its output streams again, as /dev/stdout.
        stdin: what it reads; None for a pipe that is written to later.
        channel: whether it has one.
    """
    pipes: list[tuple[int, int]] = []
    for _ in range(2):
        reading, writing = os.pipe2(os.O_CLOEXEC)
        pipes.append((reading, writing))
        os.fchown(writing, user_id, -1)
        os.set_blocking(reading, False)
    (stdout_fd, out_end), (stderr_fd, err_end) = pipes
    stdin_fd = -1
    if stdin is None:
        in_end, stdin_fd = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(stdin_fd, False)
    else:
        in_end = sealed("stdin", stdin)
    streams = Streams(stdout_fd, stderr_fd, None, stdin_fd, [in_end, out_end, err_end])
    if channel:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)  # noqa: FBT003
        streams.channel = ours
        streams.theirs.append(theirs.detach())
    return streams
