"""The service's end of the line to a container's PID 1: questions, and the streams of the program that runs there."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence

from sandbox_service.adapters.launcher.wire import Message
from sandbox_service.adapters.namespaces.line import LineClosedError, Questions
from sandbox_service.adapters.oci.frames import Decoder, FrameError, encode
from sandbox_service.adapters.oci.pumps import CHANNEL, STDERR, STDIN, STDOUT, WINDOW_BYTES, Sink, Source
from shared.telemetry.logging import get_logger

_READ_BYTES = 256 << 10
_MAX_LATE_BYTES = 2 * WINDOW_BYTES
_MAX_FILE_BYTES = 1 << 40
_log = get_logger(__name__)


class ContainerLine:
    """Asks as `Line` does; descriptors that go with a request are read and written here, and pass as bytes.

    What comes out of a container is bounded by `frames` and `pumps`; what breaks their rules closes the line, which
    ends the container.

    Args:
        end: the service's end; the line closes it.
        on_event: called with each event.
    """

    def __init__(self, end: socket.socket, on_event: Callable[[Message, list[int]], None]) -> None:
        end.setblocking(False)  # noqa: FBT003
        self._end = end
        self._on_event = on_event
        self._questions = Questions()
        self._decoder = Decoder()
        self._unsent = bytearray()
        self._sources: dict[int, Source] = {}
        self._sinks: dict[int, Sink] = {}
        self._ordered = True
        self._late: deque[tuple[Message, bytes]] = deque()
        self._late_bytes = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end.fileno(), self._receive)
        self._open = True

    @property
    def is_open(self) -> bool:
        """Whether PID 1 can still be asked."""
        return self._open

    async def ask(self, message: Message, descriptors: Sequence[int] = ()) -> tuple[Message, list[int]]:
        """Send a request and return its answer; see `Line`.

        Raises:
            LineClosedError: when PID 1 has left.
        """
        if not self._open:
            raise LineClosedError
        answer = self._questions.add()
        self.tell(message, descriptors)
        return await answer

    def tell(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message that has no answer.

        Raises:
            LineClosedError: when PID 1 has left.
        """
        if not self._open:
            raise LineClosedError
        content, streams = b"", list(descriptors)
        if message["op"] == "start":
            if "code" in message:
                content = _content(streams.pop(0))
            self._put({**message, "channel": len(streams) > CHANNEL}, content)
            self._connect(streams)
            return
        if message["op"] in ("signal", "kill"):
            self._ordered = False
        if streams:
            content = _content(streams[0])
        self._put(message, content)
        self._pass_late()

    def drain(self) -> None:
        """Take in what PID 1 said before it left."""
        self._receive()

    def close(self) -> None:
        """Close the line, which ends the container. Idempotent."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._end.fileno())
        self._loop.remove_writer(self._end.fileno())
        self._end.close()
        for stream in (*self._sources.values(), *self._sinks.values()):
            self._forget(stream)
            stream.close()
        self._unsent.clear()
        self._questions.fail()

    # To PID 1.

    def _put(self, message: Message, content: bytes = b"") -> None:
        if not self._open:
            return
        self._unsent += encode(message, content)
        self._send()

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._end.send(self._unsent)]
        except BlockingIOError:
            self._loop.add_writer(self._end.fileno(), self._send)
            return
        except OSError:
            self.close()
            return
        self._loop.remove_writer(self._end.fileno())

    def _connect(self, streams: list[int]) -> None:
        """Take copies of a program's ends of its streams."""
        stdin, stdout, stderr, *channel = map(os.dup, streams)
        self._sources = {STDIN: Source(stdin)}
        self._sinks = {STDOUT: Sink(stdout), STDERR: Sink(stderr)}
        if channel:
            self._sinks[CHANNEL] = Sink(os.dup(channel[0]))
            self._sources[CHANNEL] = Source(channel[0])
        for number in self._sources:
            self._read(number)

    def _read(self, number: int) -> None:
        """Send what a stream has, as far as PID 1 has room."""
        source = self._sources[number]
        while self._open and (data := source.read()) is not None:
            if number == CHANNEL:
                self._ordered = True  # a new cell
            if not data:
                self._forget(source)
                source.close()
                self._put({"s": number, "end": True})
                return
            self._put({"s": number}, data)
        if not self._open:
            return
        if source.is_wanted:
            self._loop.add_reader(source.fd, self._read, number)
        else:
            self._forget(source)

    # From PID 1.

    def _receive(self) -> None:
        while self._open:
            try:
                data = self._end.recv(_READ_BYTES)
                if not data:
                    self.close()
                for message, content in self._decoder.feed(data):
                    self._take(message, content)
            except BlockingIOError:
                return
            except (OSError, FrameError, KeyError, TypeError, ValueError) as error:
                _log.warning("container_line_broken", error=type(error).__name__)
                self.close()

    def _take(self, message: Message, content: bytes) -> None:
        if not self._open:
            return
        if "s" in message:
            self._take_piece(message, content)
        elif "event" in message:
            self._ordered = self._ordered and message["event"] != "ended"
            self._pass_late()
            self._on_event(message, [])
        elif message.get("re") == "open" and "error" not in message:
            self._questions.answer(message, [_file(message, content)])
        else:
            self._questions.answer(message, [])

    def _take_piece(self, message: Message, content: bytes) -> None:
        number = int(message["s"])
        if "room" in message and (source := self._sources.get(number)) is not None:
            source.give_room(int(message["room"]))
            self._read(number)
        if number not in self._sinks:
            if message.get("end"):
                self._stop_reading(number)  # the program has closed its standard input
            return
        if number == CHANNEL:
            # Behind the output that came before it: who hears of a cell's end then has all of its output.
            self._late_bytes += len(content) + 1
            if self._late_bytes > _MAX_LATE_BYTES:
                raise ValueError("a channel has outrun its window")
            self._late.append((message, content))
            self._pass_late()
        else:
            self._write(number, message, content)

    def _stop_reading(self, number: int) -> None:
        source = self._sources.get(number)
        if source:
            self._forget(source)
            source.close()

    def _write(self, number: int, message: Message, content: bytes) -> None:
        sink = self._sinks[number]
        self._forget(sink)
        room = sink.write(content) if content else 0
        if message.get("end"):
            sink.end()
            self._stop_reading(number)  # a channel is one socket, whose both ends leave
        self._after_writing(number, room)

    def _flush(self, number: int) -> None:
        sink = self._sinks[number]
        self._forget(sink)
        self._after_writing(number, sink.flush())
        self._pass_late()

    def _after_writing(self, number: int, room: int) -> None:
        sink = self._sinks[number]
        if sink.is_wanted:
            self._loop.add_writer(sink.fd, self._flush, number)
        if room:
            self._put({"s": number, "room": room})

    def _pass_late(self) -> None:
        waits = self._ordered and any(self._sinks[number].is_wanted for number in (STDOUT, STDERR) if self._late)
        while self._late and not waits:
            message, content = self._late.popleft()
            self._late_bytes -= len(content) + 1
            self._write(CHANNEL, message, content)

    def _forget(self, stream: Source | Sink) -> None:
        if stream.fd >= 0:
            self._loop.remove_reader(stream.fd)
            self._loop.remove_writer(stream.fd)


def _content(fd: int) -> bytes:
    """Return what is in a sealed file."""
    return os.pread(fd, os.fstat(fd).st_size, 0)


def _file(message: Message, content: bytes) -> int:
    """Return a file in memory as large as the one inside, with the piece that was asked for at its place."""
    size, offset = int(message["size"]), int(message["offset"])
    if not (0 <= size <= _MAX_FILE_BYTES and 0 <= offset <= _MAX_FILE_BYTES):
        raise ValueError("a file cannot be as large")
    fd = os.memfd_create("piece", os.MFD_CLOEXEC)
    os.ftruncate(fd, size)
    os.pwrite(fd, content, offset)
    return fd
