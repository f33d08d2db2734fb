"""The line to a container: what comes out of it is bounded, and what breaks the rules ends it."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

import pytest

from sandbox_service.adapters.namespaces.line import LineClosedError
from sandbox_service.adapters.namespaces.streams import Streams, open_streams, sealed
from sandbox_service.adapters.oci.frames import MAX_CONTENT_BYTES, MAX_MESSAGE_BYTES, Decoder, FrameError, encode
from sandbox_service.adapters.oci.line import ContainerLine
from sandbox_service.adapters.oci.pumps import CHANNEL, STDERR, STDIN, STDOUT, WINDOW_BYTES


class Container:
    """PID 1 as the test plays it."""

    def __init__(self) -> None:
        ours, self.end = socket.socketpair()
        self.end.setblocking(False)
        self.events: list[dict] = []
        self.line = ContainerLine(ours, lambda message, _: self.events.append(message))
        self._decoder = Decoder()
        self._frames: list = []
        self.streams: Streams | None = None

    async def say(self, message: dict, content: bytes = b"") -> None:
        with suppress(ConnectionError):  # the line is closed already
            await asyncio.get_running_loop().sock_sendall(self.end, encode(message, content))

    async def heard(self) -> tuple[dict, bytes]:
        async with asyncio.timeout(5):
            while not self._frames:
                data = await asyncio.get_running_loop().sock_recv(self.end, 1 << 16)
                self._frames += self._decoder.feed(data)
        return self._frames.pop(0)

    async def start(self, stdin: bytes | None = b"", *, channel: bool = True) -> Streams:
        self.streams = streams = open_streams(os.getuid(), stdin, channel=channel)
        self.line.tell({"op": "start"}, streams.theirs)
        streams.handed_over()
        assert (await self.heard())[0] == {"op": "start", "channel": channel}
        return streams

    def close(self) -> None:
        self.line.close()
        self.end.close()
        if self.streams:
            self.streams.close()


@pytest.fixture
async def container() -> AsyncIterator[Container]:
    made = Container()
    yield made
    made.close()


async def _until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


def test_frames_come_whole_however_they_are_cut() -> None:
    frames = [({"a": 1}, b""), ({"b": "é"}, bytes(1000)), ({}, b"x")]
    stream = b"".join(encode(*frame) for frame in frames)
    decoder = Decoder()
    found = [frame for at in range(0, len(stream), 7) for frame in decoder.feed(stream[at : at + 7])]
    assert found == frames


@pytest.mark.parametrize(
    "garbage",
    [
        (MAX_MESSAGE_BYTES + 1).to_bytes(4, "big") + bytes(4),
        bytes(4) + (MAX_CONTENT_BYTES + 1).to_bytes(4, "big"),
        encode({})[:8] + b"[]",
        (2).to_bytes(4, "big") + bytes(4) + b"{]",
        (60_000).to_bytes(4, "big") + bytes(4) + b"[" * 60_000,
    ],
)
async def test_garbage_ends_the_line(container: Container, garbage: bytes) -> None:
    with pytest.raises(FrameError):
        Decoder().feed(garbage)
    asking = asyncio.create_task(container.line.ask({"op": "list"}))
    await asyncio.sleep(0)
    await asyncio.get_running_loop().sock_sendall(container.end, garbage)
    with pytest.raises(LineClosedError):
        await asyncio.wait_for(asking, 5)
    assert not container.line.is_open


@pytest.mark.parametrize(
    ("message", "size"),
    [
        ({"s": STDOUT}, WINDOW_BYTES + 1),
        ({"s": CHANNEL}, 2 * WINDOW_BYTES + 1),
        ({"s": "x"}, 1),
        ({"s": STDIN, "room": "much"}, 0),
        ({"re": "open", "size": 1 << 50, "offset": 0}, 1),
        ({"re": "open"}, 1),
    ],
)
async def test_what_breaks_the_rules_ends_the_line(container: Container, message: dict, size: int) -> None:
    await container.start()
    assert (await container.heard())[0] == {"s": STDIN, "end": True}
    for _ in range(4):  # the pipe takes some of it
        await container.say(message, bytes(size))
    await _until(lambda: not container.line.is_open)


async def test_an_answer_in_too_many_parts_ends_the_line(container: Container) -> None:
    asking = asyncio.create_task(container.line.ask({"op": "list"}))
    await asyncio.sleep(0)
    for _ in range(200):
        await container.say({"re": "list", "files": [], "more": True})
    with pytest.raises(LineClosedError):
        await asyncio.wait_for(asking, 5)


async def test_input_is_sent_as_far_as_there_is_room(container: Container) -> None:
    await container.start(bytes(200_000), channel=False)
    sent = 0
    while sent < WINDOW_BYTES:
        sent += len((await container.heard())[1])
    assert sent == WINDOW_BYTES
    await asyncio.sleep(0)
    with pytest.raises(BlockingIOError):
        container.end.recv(1)
    await container.say({"s": STDIN, "room": 10})
    assert await container.heard() == ({"s": STDIN}, bytes(10))


async def test_a_stream_that_nobody_reads_holds_up_no_other(container: Container) -> None:
    streams = await container.start(channel=False)
    for _ in range(2):
        await container.say({"s": STDOUT}, b"o" * WINDOW_BYTES)
    await container.say({"s": STDERR}, b"e")
    await container.say({"event": "ended"})
    await _until(lambda: container.events)
    assert os.read(streams.stderr_fd, 10) == b"e"
    assert (await container.heard())[0] == {"s": STDIN, "end": True}
    granted = (await container.heard())[0]
    assert granted == {"s": STDOUT, "room": WINDOW_BYTES}


async def test_results_wait_for_the_output_before_them_until_something_is_to_end(container: Container) -> None:
    streams = await container.start()
    for _ in range(2):
        await container.say({"s": STDOUT}, b"o" * WINDOW_BYTES)
    await container.say({"s": CHANNEL}, b"done")
    await container.say({"event": "here"})
    await _until(lambda: container.events)
    assert streams.channel is not None
    with pytest.raises(BlockingIOError):
        streams.channel.recv(10)
    container.line.tell({"op": "signal", "number": 2})
    assert streams.channel.recv(10) == b"done"


async def test_a_piece_of_a_file_comes_as_a_file_with_it_at_its_place(container: Container) -> None:
    asking = asyncio.create_task(container.line.ask({"op": "open", "path": "a", "offset": 5, "length": 3}))
    await asyncio.sleep(0)
    await container.say({"re": "open", "size": 100, "offset": 5}, b"abc")
    _, (fd,) = await asyncio.wait_for(asking, 5)
    assert (os.fstat(fd).st_size, os.pread(fd, 3, 5)) == (100, b"abc")
    os.close(fd)


async def test_content_goes_with_its_request(container: Container) -> None:
    content = sealed("x", b"hello")
    container.line.tell({"op": "write", "path": "a", "offset": 0}, (content,))
    os.close(content)
    assert await container.heard() == ({"op": "write", "path": "a", "offset": 0}, b"hello")


async def test_who_leaves_is_noticed(container: Container) -> None:
    streams = await container.start()
    container.end.close()
    await _until(lambda: not container.line.is_open)
    assert os.read(streams.stdout_fd, 1) == b""
    with pytest.raises(LineClosedError):
        await container.line.ask({"op": "list"})
