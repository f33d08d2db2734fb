"""The service's end of a program's channel: results come out, cells go in.

The program itself can write to it. So a frame can say anything about the program's own results, and nothing else: how a
run ended comes from the kernel, and a frame that is too long or no frame closes the channel. A frame's head is short,
because reading JSON holds up everybody; what a result consists of follows it as plain bytes.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from sandbox_service.domain.run_event import MEDIA_TYPES, MediaData, RichOutput

_MAX_HEAD_BYTES = 4 << 10
_MAX_RESULT_BYTES = 1 << 20
_MAX_FORMS = 8
_LENGTH_BYTES = 4
_READ_BYTES = 256 << 10


@dataclass(frozen=True, slots=True)
class CellDone:
    """What a kernel says of the end of a cell.

    Attributes:
        ok: whether it went well.
        exit_code: of a shell's cell; 0 or 1 else.
        ends: whether the kernel ends with it.
    """

    ok: bool
    exit_code: int
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """A result, with the bytes of its whole frame."""

    output: RichOutput
    size_bytes: int


class GuestChannel:
    """Reads frames while somebody asks for them, so that a program that sends more waits.

    Args:
        channel: not blocking; its owner closes it.
    """

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._buffer = bytearray()
        self._loop = asyncio.get_running_loop()

    async def send_cell(self, code: str) -> None:
        """Send a cell. One that is cancelled has spoilt the channel.

        Raises:
            OSError: when the kernel is gone.
        """
        body = code.encode()
        await self._loop.sock_sendall(self._channel, len(body).to_bytes(_LENGTH_BYTES, "big") + body)

    async def read(self, on_result: Callable[[Result], Awaitable[None]]) -> CellDone | None:
        """Pass on results until a cell is done; return None when the channel has ended or carries something else."""
        while True:
            frame = await self._frame()
            # A program that always has one more frame ready must not keep everybody else waiting.
            await asyncio.sleep(0)
            if frame is None:
                self._buffer.clear()  # of no use any more, and somebody may hold the sandbox for long
            if not isinstance(frame, Result):
                return frame
            await on_result(frame)

    async def _frame(self) -> Result | CellDone | None:
        """Return the next frame; None for one that cannot be understood, and at the end."""
        try:
            size = int.from_bytes(await self._take(_LENGTH_BYTES), "big")
            if size > _MAX_HEAD_BYTES:
                return None
            head: object = json.loads(await self._take(size))
            if not isinstance(head, dict):
                return None
            said = cast("dict[str, Any]", head)
            if said.get("op") == "done":
                return _done(said)
            sizes = _sizes(said) if said.get("op") == "result" else None
            if sizes is None:
                return None
            forms = tuple([_form(kind, await self._take(length)) for kind, length in sizes])
            return Result(RichOutput(forms), _LENGTH_BYTES + size + sum(length for _, length in sizes))
        except (OSError, EOFError, ValueError, RecursionError):
            return None

    async def _take(self, size: int) -> bytes:
        """Return the next `size` bytes.

        Raises:
            EOFError: when the channel ends before.
            OSError: when it breaks.
        """
        while len(self._buffer) < size:
            part = await self._loop.sock_recv(self._channel, _READ_BYTES)
            if not part:
                raise EOFError
            self._buffer += part
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken


def _sizes(head: dict[str, Any]) -> list[tuple[str, int]] | None:
    """Return types and sizes of a result's forms; None when one of them is not one that is passed on."""
    raw = head.get("forms")
    if not isinstance(raw, list) or not 1 <= len(cast("list[object]", raw)) <= _MAX_FORMS:
        return None
    sizes: list[tuple[str, int]] = []
    for form in cast("list[object]", raw):
        match form:
            case [str() as kind, int() as size] if kind in MEDIA_TYPES and type(size) is int and size >= 0:
                sizes.append((kind, size))
            case _:
                return None
    return sizes if sum(size for _, size in sizes) <= _MAX_RESULT_BYTES else None


def _form(kind: str, data: bytes) -> MediaData:
    """Return one form.

    Raises:
        ValueError: when it is to be text and is not.
    """
    if kind != "image/png":
        data.decode()
    return MediaData(kind, data)


def _done(head: dict[str, Any]) -> CellDone:
    ok = head.get("status") == "ok"
    code = head.get("exit_code")
    is_code = isinstance(code, int) and not isinstance(code, bool) and 0 <= code <= 255
    return CellDone(ok, cast("int", code) if is_code else 0 if ok else 1, ends=head.get("ended") is True)
