"""The service's end of a line to a zygote or to the PID 1 of a sandbox."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from sandbox_service.adapters.launcher.wire import Message, receive, send

_MAX_PARTS = 128
_MAX_QUESTIONS = 16  # which fit into the socket


class LineClosedError(Exception):
    """The other side has left."""


class LineToInit(Protocol):
    """The service's end of what leads to a PID 1."""

    @property
    def is_open(self) -> bool:
        """Whether it can still be asked."""
        ...

    async def ask(self, message: Message, descriptors: Sequence[int] = ()) -> tuple[Message, list[int]]:
        """Send a request and return its answer; see Line."""
        ...

    def tell(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message that has no answer; see Line."""
        ...

    def drain(self) -> None:
        """Take in what it said before it left."""
        ...

    def close(self) -> None:
        """Close the line, which ends it. Idempotent."""
        ...


class Questions:
    """Those that wait for their answers, which come in the same order."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[tuple[Message, list[int]]]] = deque()
        self._before: list[Message] = []

    def add(self) -> asyncio.Future[tuple[Message, list[int]]]:
        """Return what waits for the next answer."""
        answer: asyncio.Future[tuple[Message, list[int]]] = asyncio.get_running_loop().create_future()
        self._waiting.append(answer)
        return answer

    def answer(self, message: Message, descriptors: list[int]) -> None:
        """Answer the first. An answer in several parts comes as the last of them, with the others under `before`.

        Raises:
            ValueError: when it has too many parts.
        """
        if message.get("more"):
            if len(self._before) >= _MAX_PARTS:
                raise ValueError("an answer has too many parts")
            self._before.append(message)
            return
        message["before"], self._before = self._before, []
        waiting = self._waiting.popleft() if self._waiting else None
        if waiting is None or waiting.done():
            for fd in descriptors:
                os.close(fd)
        else:
            waiting.set_result((message, descriptors))

    def fail(self) -> None:
        """Answer all with LineClosedError. Idempotent."""
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_exception(LineClosedError())
                waiting.exception()  # nobody may be waiting any more
        self._waiting.clear()


class Line:
    """Asks, and is answered in the same order; hears of events in between.

    Args:
        end: the service's end; the line closes it.
        on_event: called with each event and the descriptors that came with it, which it has to close.
        on_closed: called once, when the other side has left or the line is closed.
    """

    def __init__(
        self,
        end: socket.socket,
        on_event: Callable[[Message, list[int]], None],
        on_closed: Callable[[], None] | None = None,
    ) -> None:
        end.setblocking(False)  # noqa: FBT003
        self._end = end
        self._on_event = on_event
        self._on_closed = on_closed
        self._questions = Questions()
        self._asking = asyncio.Semaphore(_MAX_QUESTIONS)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end.fileno(), self._receive)
        self._open = True

    @property
    def is_open(self) -> bool:
        """Whether the other side can still be asked."""
        return self._open

    async def ask(self, message: Message, descriptors: Sequence[int] = ()) -> tuple[Message, list[int]]:
        """Send a request and return its answer, with descriptors that the caller has to close.

        An answer in several packets comes as the last of them, with the others under `before`.

        Raises:
            LineClosedError: when the other side has left.
        """
        async with self._asking:
            if not self._open:
                raise LineClosedError
            answer = self._questions.add()
            self.tell(message, descriptors)
            return await answer

    def tell(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        """Send a message that has no answer.

        Raises:
            LineClosedError: when the other side has left.
        """
        try:
            send(self._end, message, tuple(descriptors))
        except OSError as error:
            self.close()
            raise LineClosedError from error

    def drain(self) -> None:
        """Take in what the other side said before it left."""
        self._receive()

    def close(self) -> None:
        """Close the line, which ends the other side. Idempotent."""
        if not self._open:
            return
        self._open = False
        self._loop.remove_reader(self._end.fileno())
        self._end.close()
        self._questions.fail()
        if self._on_closed:
            self._on_closed()

    def _receive(self) -> None:
        """Take in what has arrived, without waiting."""
        while self._open:
            try:
                message, descriptors = receive(self._end)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                message, descriptors = None, []
            if message is None:
                self.close()
            elif "event" in message:
                self._on_event(message, descriptors)
            else:
                try:
                    self._questions.answer(message, descriptors)
                except ValueError:
                    self.close()
