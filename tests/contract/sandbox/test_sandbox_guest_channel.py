"""What a hostile program can say on its channel, and that it harms its own results alone."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_service.adapters.namespaces.guest_channel import CellDone, GuestChannel
from sandbox_service.domain.run_event import MEDIA_TYPES, RichOutput


def frame(message: object) -> bytes:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    return len(body).to_bytes(4, "big") + body


@dataclass
class Line:
    channel: GuestChannel
    guest: socket.socket
    results: list[RichOutput] = field(default_factory=list)

    async def hear(self, data: bytes) -> CellDone | None:
        self.guest.sendall(data)
        self.guest.shutdown(socket.SHUT_WR)

        async def keep(result: RichOutput) -> None:
            self.results.append(result)

        async with asyncio.timeout(5):
            return await self.channel.read(keep)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield Line(GuestChannel(ours), theirs)


TEXT = {"type": "text/plain", "data": "2"}
DONE = {"op": "done", "status": "ok", "exit_code": 0}


async def test_results_come_before_the_end_of_a_cell(line: Line) -> None:
    png = {"type": "image/png", "data": "iVBORw==", "b64": True}
    assert await line.hear(frame({"op": "result", "forms": [TEXT, png]}) + frame(DONE)) == CellDone(
        ok=True, exit_code=0
    )
    assert [(form.media_type, form.data) for form in line.results[0].forms] == [
        ("text/plain", b"2"),
        ("image/png", b"\x89PNG"),
    ]


@pytest.mark.parametrize(
    "forms",
    [
        [{"type": "text/javascript", "data": "x"}],
        [{"type": "image/png", "data": "not base64!", "b64": True}],
        [{"type": "text/plain", "data": 5}],
        [{"type": ["text/plain"], "data": "x"}],
        ["text"],
        "text",
        None,
        {},
    ],
)
async def test_a_result_without_any_form_ends_the_channel(line: Line, forms: object) -> None:
    assert await line.hear(frame({"op": "result", "forms": forms}) + frame(DONE)) is None
    assert line.results == []


@pytest.mark.parametrize(
    "data",
    [
        (2**31).to_bytes(4, "big"),
        b"\xff" * 4 + b"x" * 100,
        frame(b"no json"),
        frame(b"[" * 100_000),
        frame([1]),
        frame({"op": "kill"}),
        frame({}),
        b"\0\0",
        frame(DONE)[:-1],
    ],
    ids=["huge", "negative", "no json", "deep", "list", "unknown", "empty", "half a length", "half a frame"],
)
async def test_what_is_no_frame_ends_the_channel(line: Line, data: bytes) -> None:
    assert await line.hear(data) is None


@pytest.mark.parametrize("code", [True, -1, 256, "0", None, 1.5])
async def test_an_exit_code_that_is_none_says_nothing(line: Line, code: object) -> None:
    done = await line.hear(frame({"op": "done", "status": "error", "exit_code": code}))
    assert done == CellDone(ok=False, exit_code=1)


@pytest.mark.parametrize(("ended", "ends"), [(True, True), (1, False), ("yes", False)])
async def test_a_kernel_can_end_with_its_cell(line: Line, ended: object, ends: bool) -> None:
    assert await line.hear(frame(DONE | {"ended": ended})) == CellDone(ok=True, exit_code=0, ends=ends)


async def test_a_thousand_forms_are_eight(line: Line) -> None:
    await line.hear(frame({"op": "result", "forms": [TEXT] * 1000}) + frame(DONE))
    assert len(line.results[0].forms) == 8


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_results_or_an_end(data: bytes) -> None:
    async def hear() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            heard = Line(GuestChannel(ours), theirs)
            assert await heard.hear(data) is None or isinstance(heard.results, list)
            assert all(form.media_type in MEDIA_TYPES for result in heard.results for form in result.forms)

    asyncio.run(hear())
