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

from sandbox_service.adapters.namespaces.guest_channel import CellDone, GuestChannel, Result
from sandbox_service.domain.run_event import MEDIA_TYPES, RichOutput


def frame(head: object, data: bytes = b"") -> bytes:
    body = head if isinstance(head, bytes) else json.dumps(head).encode()
    return len(body).to_bytes(4, "big") + body + data


def result(*forms: tuple[str, bytes]) -> bytes:
    head = {"op": "result", "forms": [[kind, len(data)] for kind, data in forms]}
    return frame(head, b"".join(data for _, data in forms))


@dataclass
class Line:
    channel: GuestChannel
    guest: socket.socket
    results: list[RichOutput] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    async def hear(self, data: bytes) -> CellDone | None:
        self.guest.sendall(data)
        self.guest.shutdown(socket.SHUT_WR)

        async def keep(result: Result) -> None:
            self.results.append(result.output)
            self.sizes.append(result.size_bytes)

        async with asyncio.timeout(5):
            return await self.channel.read(keep)


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield Line(GuestChannel(ours), theirs)


TEXT = ("text/plain", b"2")
DONE = {"op": "done", "status": "ok", "exit_code": 0}


async def test_results_come_before_the_end_of_a_cell(line: Line) -> None:
    sent = result(TEXT, ("image/png", b"\x89PNG"))
    assert await line.hear(sent + frame(DONE)) == CellDone(ok=True, exit_code=0)
    assert line.sizes == [len(sent)]
    assert [(form.media_type, form.data) for form in line.results[0].forms] == [
        ("text/plain", b"2"),
        ("image/png", b"\x89PNG"),
    ]


@pytest.mark.parametrize(
    "forms",
    [
        [["text/javascript", 1]],
        [["text/plain", "1"]],
        [["text/plain", -1]],
        [["text/plain", True]],
        [["text/plain", 0.5]],
        [["text/plain", (1 << 20) + 1]],
        [["text/plain", 1 << 19]] * 3,
        [[["text/plain"], 1]],
        [["text/plain", 1]] * 9,
        ["text"],
        [],
        "text",
        None,
        {},
    ],
)
async def test_a_result_of_anything_but_forms_ends_the_channel(line: Line, forms: object) -> None:
    assert await line.hear(frame({"op": "result", "forms": forms}, b"xxxxxxxxx") + frame(DONE)) is None
    assert line.results == []


async def test_text_that_is_none_ends_the_channel(line: Line) -> None:
    assert await line.hear(result(("text/html", b"\xff")) + frame(DONE)) is None
    assert line.results == []


async def test_no_more_than_a_short_head_is_read_as_json(line: Line) -> None:
    """Reading 1 MiB of lists of lists takes 100 ms and more, in which nobody else is served."""
    long = frame({**DONE, "error": "x" * 4096})
    assert await line.hear(long + frame(DONE)) is None


async def test_a_cell_goes_in_as_it_is(line: Line) -> None:
    await line.channel.send_cell("é = 1")
    assert line.guest.recv(99) == b"\0\0\0\6" + "é = 1".encode()


@pytest.mark.parametrize(
    "data",
    [
        (2**31).to_bytes(4, "big"),
        b"\xff" * 4 + b"x" * 100,
        frame(b"no json"),
        frame(b"[" * 4_000),
        frame([1]),
        frame({"op": "kill"}),
        frame({}),
        b"\0\0",
        frame(DONE)[:-1],
        result(TEXT)[:-1],
    ],
    ids=["huge", "negative", "no json", "deep", "list", "unknown", "empty", "half a length", "half", "half a form"],
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


@given(st.binary(max_size=200))
def test_no_bytes_do_anything_but_results_or_an_end(data: bytes) -> None:
    async def hear() -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours, theirs:
            heard = Line(GuestChannel(ours), theirs)
            assert await heard.hear(data) is None or isinstance(heard.results, list)
            assert all(form.media_type in MEDIA_TYPES for each in heard.results for form in each.forms)

    asyncio.run(hear())
