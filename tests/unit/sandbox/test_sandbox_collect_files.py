"""Files that change while they are collected, and sandboxes whose caller leaves while they are made."""

from __future__ import annotations

import asyncio

import pytest
from sandbox_fakes import FakeBackend, FakeSandbox

from sandbox_service.domain.errors import file_refused
from sandbox_service.domain.image import BASE, Image
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.run_event import MAX_PIECE_BYTES, SkippedFile
from sandbox_service.ports.isolation_backend import SandboxSpec
from sandbox_service.use_cases import collect_files
from sandbox_service.use_cases.collect_files import MAX_PATTERN_LENGTH, MAX_PATTERNS, CollectFiles
from sandbox_service.use_cases.open_sandbox import _made
from shared.errors import NexusError, NotFound

SPEC = SandboxSpec("org-a", Image(BASE, "digest"), RunLimits(1.0, 1 << 26, 8, 1 << 16))


class Flickering(FakeSandbox):
    """A workspace in which a file is there at first, and not what it was when the rest of it is read."""

    then: NexusError

    async def read_file(self, path: str, offset: int, length: int) -> tuple[bytes, int]:
        if offset:
            raise self.then
        return await super().read_file(path, offset, length)


@pytest.mark.parametrize(
    ("then", "reason"),
    [(NotFound("FILE_NOT_FOUND", "gone"), "not_found"), (file_refused("big", "not_regular"), "not_regular")],
)
async def test_a_file_that_goes_while_it_is_read_is_skipped(then: NexusError, reason: str) -> None:
    sandbox = Flickering(FakeBackend(), SPEC, lambda: None)
    sandbox.then = then
    sandbox.files = {"big": bytes(MAX_PIECE_BYTES + 1), "small": b"x"}
    skipped: list[SkippedFile] = []
    pieces = [piece async for piece in CollectFiles(1 << 20)(sandbox, ("big", "small"), skipped)]
    assert [(piece.path, len(piece.data)) for piece in pieces] == [("big", MAX_PIECE_BYTES), ("small", 1)]
    assert skipped == [SkippedFile("big", reason)]


async def collected(sandbox: FakeSandbox, *wanted: str) -> tuple[list[str], list[SkippedFile]]:
    skipped: list[SkippedFile] = []
    return [piece.path async for piece in CollectFiles(1 << 20)(sandbox, wanted, skipped)], skipped


async def test_patterns_are_few_and_short() -> None:
    sandbox = FakeSandbox(FakeBackend(), SPEC, lambda: None)
    sandbox.files = {str(number): b"x" for number in range(20)}
    long = "?*" * (MAX_PATTERN_LENGTH // 2) + "*"
    found, skipped = await collected(sandbox, long, *(f"{number}*" for number in range(2, 20)), "1")
    assert found == [*map(str, range(2, MAX_PATTERNS + 2)), "1"]
    assert skipped[0] == SkippedFile(long, "path_invalid")
    assert skipped[1:] == [SkippedFile(f"{number}*", "too_many") for number in range(MAX_PATTERNS + 2, 20)]


async def test_what_patterns_look_at_has_an_end_and_leaves_others_their_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    monkeypatch.setattr(collect_files, "matches", lambda _, name: looked_at.append(len(name)))
    sandbox = FakeSandbox(FakeBackend(), SPEC, lambda: None)
    sandbox.files = {f"{number:0200}": b"" for number in range(2_000)}
    task = asyncio.create_task(collected(sandbox, *(f"{number}*" for number in range(MAX_PATTERNS))))
    longest = 0
    while not task.done():
        before = sum(looked_at)
        await asyncio.sleep(0)
        longest = max(longest, sum(looked_at) - before)
    assert longest < 10_000
    assert 900_000 < sum(looked_at) <= 1 << 20
    _, skipped = task.result()
    assert {file.reason for file in skipped} == {"not_found", "too_many"}


class Slow(FakeBackend):
    """Makes a sandbox when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()

    async def create(self, spec, on_gone):
        await self.may.wait()
        return await super().create(spec, on_gone)


@pytest.mark.parametrize("fails", [False, True])
async def test_who_leaves_while_a_sandbox_is_made_gives_its_place_back_when_it_is_gone(fails: bool) -> None:
    backend, given_back = Slow(), asyncio.Event()
    making = asyncio.create_task(_made(backend, SPEC, given_back.set))
    await asyncio.sleep(0)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert not given_back.is_set()
    backend.error = NotFound("X", "x") if fails else None
    backend.may.set()
    await asyncio.wait_for(given_back.wait(), 1)
    assert all(not sandbox.is_alive for sandbox in backend.sandboxes)
