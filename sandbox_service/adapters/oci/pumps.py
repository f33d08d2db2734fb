"""Ends of a program's streams on one side of the pipes: what is read goes out in frames, what comes in is written.

Imported on both sides. Each stream has a window: nobody sends more of it than the other side has room for, so a stream
that nobody reads holds up no other one.
"""

from __future__ import annotations

import fcntl
import os
import termios

STDIN, STDOUT, STDERR, CHANNEL = range(4)
WINDOW_BYTES = 64 << 10
_PIECE_BYTES = 32 << 10


class Source:
    """Reads a stream, as far as the other side has room.

    Attributes:
        fd: not waiting; -1 when it has ended.
    """

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._room = WINDOW_BYTES

    @property
    def is_wanted(self) -> bool:
        """Whether there may be something to read and room for it."""
        return self.fd >= 0 and self._room > 0

    def give_room(self, size: int) -> None:
        """Note that the other side has room for `size` more bytes."""
        self._room = min(WINDOW_BYTES, self._room + max(0, size))

    def read(self) -> bytes | None:
        """Return what is there, b"" at its end, and None when there is nothing now or no room for it."""
        if not self.is_wanted:
            return None
        try:
            data = os.read(self.fd, min(self._room, _PIECE_BYTES))
        except BlockingIOError:
            return None
        except OSError:  # a socket whose other end was closed with something unread in it
            data = b""
        self._room -= len(data)
        return data

    def waiting_bytes(self) -> int:
        """Return how much is there to be read."""
        if self.fd < 0:
            return 0
        count = bytearray(4)
        fcntl.ioctl(self.fd, termios.FIONREAD, count)
        return int.from_bytes(count, "little")

    def close(self) -> None:
        """Close it. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Sink:
    """Writes a stream without waiting.

    Attributes:
        fd: not waiting; -1 when nobody reads it any more or it has ended.
    """

    def __init__(self, fd: int) -> None:
        os.set_blocking(fd, False)
        self.fd = fd
        self._held = bytearray()
        self._ends = False

    @property
    def is_wanted(self) -> bool:
        """Whether something waits to be written."""
        return self.fd >= 0 and bool(self._held)

    def write(self, data: bytes) -> int:
        """Take in `data`; return how many bytes the other side may send for it.

        Raises:
            ValueError: when the other side has sent more than it may.
        """
        if len(self._held) + len(data) > WINDOW_BYTES:
            raise ValueError("a stream has outrun its window")
        self._held += data
        return self.flush()

    def flush(self) -> int:
        """Write what can be written now; return how many bytes the other side may send for it."""
        done = 0
        while self._held and self.fd >= 0:
            try:
                written = os.write(self.fd, self._held)
            except BlockingIOError:
                return done
            except OSError:  # nobody reads any more
                self.close()
                break
            del self._held[:written]
            done += written
        done += len(self._held)
        self._held.clear()
        if self._ends:
            self.close()
        return done

    def end(self) -> None:
        """Close it when everything is written."""
        self._ends = True
        self.flush()

    def close(self) -> None:
        """Close it now. Idempotent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1
