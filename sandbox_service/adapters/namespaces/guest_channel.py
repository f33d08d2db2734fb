"""The service's end of a program's channel: results come out, cells go in.

The program itself can write to it. So a frame can say anything about the program's own results, and nothing else: how a
run ended comes from the kernel, and a frame that is too long or no frame closes the channel.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from sandbox_service.domain.run_event import MEDIA_TYPES, MediaData, RichOutput

_MAX_FRAME_BYTES = 1 << 20
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
        """Send a cell.

        Raises:
            OSError: when the kernel is gone.
        """
        body = json.dumps({"op": "cell", "code": code}).encode()
        await self._loop.sock_sendall(self._channel, len(body).to_bytes(_LENGTH_BYTES, "big") + body)

    async def read(self, on_result: Callable[[RichOutput], Awaitable[None]]) -> CellDone | None:
        """Pass on results until a cell is done; return None when the channel has ended or carries something else."""
        while (frame := await self._frame()) is not None:
            # A program that always has one more frame ready must not keep everybody else waiting.
            await asyncio.sleep(0)
            match frame.get("op"):
                case "result":
                    result = _result(frame)
                    if result is None:
                        return None
                    await on_result(result)
                case "done":
                    return _done(frame)
                case _:
                    return None
        return None

    async def _frame(self) -> dict[str, Any] | None:
        while True:
            frame, whole = self._whole_frame()
            if whole:
                return frame
            try:
                part = await self._loop.sock_recv(self._channel, _READ_BYTES)
            except OSError:
                return None
            if not part:
                return None
            self._buffer += part

    def _whole_frame(self) -> tuple[dict[str, Any] | None, bool]:
        """Return the next frame and whether there is one; None for one that cannot be understood."""
        if len(self._buffer) < _LENGTH_BYTES:
            return None, False
        size = int.from_bytes(self._buffer[:_LENGTH_BYTES], "big")
        if size > _MAX_FRAME_BYTES:
            return None, True
        end = _LENGTH_BYTES + size
        if len(self._buffer) < end:
            return None, False
        body = bytes(self._buffer[_LENGTH_BYTES:end])
        del self._buffer[:end]
        try:
            frame: object = json.loads(body)
        except (ValueError, RecursionError):
            return None, True
        return (cast("dict[str, Any]", frame), True) if isinstance(frame, dict) else (None, True)


def _result(frame: dict[str, Any]) -> RichOutput | None:
    forms = frame.get("forms")
    if not isinstance(forms, list):
        return None
    made = tuple(form for raw in cast("list[object]", forms)[:_MAX_FORMS] if (form := _form(raw)) is not None)
    return RichOutput(made) if made else None


def _form(raw: object) -> MediaData | None:
    """Return one form, or None when it is not one that is passed on."""
    if not isinstance(raw, dict):
        return None
    form = cast("dict[str, object]", raw)
    kind, data = form.get("type"), form.get("data")
    if not isinstance(kind, str) or kind not in MEDIA_TYPES or not isinstance(data, str):
        return None
    try:
        content = base64.b64decode(data, validate=True) if form.get("b64") is True else data.encode()
    except (binascii.Error, ValueError):
        return None
    return MediaData(kind, content)


def _done(frame: dict[str, Any]) -> CellDone:
    ok = frame.get("status") == "ok"
    code = frame.get("exit_code")
    is_code = isinstance(code, int) and not isinstance(code, bool) and 0 <= code <= 255
    return CellDone(ok, cast("int", code) if is_code else 0 if ok else 1, ends=frame.get("ended") is True)
