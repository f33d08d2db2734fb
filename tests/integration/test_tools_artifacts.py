"""Artifacts on a real disk: crashes, full disks, lost bytes, and who may look."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from artifact_fakes import LIMIT, QUOTA, chunks_of, files_in, files_of, opened_store
from obstore.store import LocalStore, S3Store

from shared.errors import NotFound, PreconditionFailed, QuotaExceeded, UpstreamDown
from shared.testing.fakes import FakeClock
from shared.testing.harness import principal
from tool_executor.adapters.artifact_objects import ArtifactObjects, Content, open_store
from tool_executor.domain.artifact import NewArtifact

ANN = principal()
NOTE = NewArtifact("note")
LATER = datetime.now(UTC) + timedelta(hours=2)


def test_a_killed_process_leaves_nothing_half_and_the_sweep_takes_the_rest(tmp_path: Path) -> None:
    program = [sys.executable, str(Path(__file__).parents[1] / "artifact_mortal.py"), str(tmp_path)]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root / 'tests'}"}
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        kept, full, half = (process.stdout.readline().strip() for _ in range(3))
        process.kill()
    assert (full, half) == ("ARTIFACT_STORAGE_FULL", "half way")
    left = [path.name for path in files_of(tmp_path)]
    assert len(left) == 3
    assert any("#" in name for name in left)

    async def survive() -> None:
        clock = FakeClock(LATER)
        async with opened_store(tmp_path, clock=clock) as store:
            page = await store.page(ANN, run_id="", before="", size=9)
            assert [each.artifact_id for each in page.artifacts] == [kept]
            assert (await store.read(ANN, kept, 0, 9))[1] == b"kept"
            assert await store.sweep() == 2
            assert len(files_of(tmp_path)) == 1
            made = await store.put(ANN, NewArtifact("half"), chunks_of(b"whole now"))
            assert (await store.read(ANN, made.artifact_id, 0, 9))[1] == b"whole now"

    asyncio.run(survive())


async def test_the_sweep_leaves_what_is_new_referred_to_or_not_its_own(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        await store.put(ANN, NOTE, chunks_of(b"old"))
    org = next((tmp_path / "artifacts").iterdir())
    (org / "content" / ("0" * 64)).write_bytes(b"a put that has no row yet")
    (org / "content" / "readme").write_bytes(b"of an administrator")
    async with opened_store(tmp_path, clock=FakeClock(datetime.now(UTC))) as store:
        assert await store.sweep() == 0
    async with opened_store(tmp_path, clock=FakeClock(LATER)) as store:
        assert await store.sweep() == 1
    assert len(files_of(tmp_path)) == 2


async def test_a_deletion_is_forgotten_after_a_day(tmp_path: Path) -> None:
    clock = FakeClock(LATER)
    async with opened_store(tmp_path, clock=clock) as store:
        made = await store.put(ANN, NOTE, chunks_of(b"x"))
        await store.delete(ANN, made.artifact_id, "r")
        clock.advance(86_000)
        await store.sweep()
        await store.delete(ANN, made.artifact_id, "r")
        clock.advance(1_000)
        await store.sweep()
        with pytest.raises(NotFound):
            await store.delete(ANN, made.artifact_id, "r")


async def test_the_same_bytes_are_one_file(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        made = [await store.put(ANN, NOTE, chunks_of(b"same")) for _ in range(2)]
        assert len(files_of(tmp_path)) == 1
        await store.delete(ANN, made[0].artifact_id, "")
        assert len(files_of(tmp_path)) == 1
        await store.delete(ANN, made[1].artifact_id, "")
        assert files_of(tmp_path) == []


async def test_puts_and_deletions_of_the_same_bytes_at_once_lose_none(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:

        async def turn() -> None:
            for _ in range(5):
                made = await store.put(ANN, NOTE, chunks_of(b"same"))
                assert (await store.read(ANN, made.artifact_id, 0, 9))[1] == b"same"
                await store.delete(ANN, made.artifact_id, "")

        await asyncio.gather(*(turn() for _ in range(8)))
    assert files_of(tmp_path) == []


class SlowObjects(ArtifactObjects):
    """Removes files when it is let, as a slow disk does: also when nobody waits any more."""

    def __init__(self, folder: Path) -> None:
        super().__init__(partial(files_in, folder))
        self.asked, self.let = asyncio.Event(), asyncio.Event()
        self._removing: set[asyncio.Task[None]] = set()

    async def remove(self, path: str) -> None:
        """Remove a file, later."""
        task = asyncio.create_task(self._later(path))
        self._removing.add(task)
        await asyncio.shield(task)

    async def _later(self, path: str) -> None:
        self.asked.set()
        await self.let.wait()
        await super().remove(path)


async def test_a_deletion_whose_caller_leaves_takes_no_later_bytes(tmp_path: Path) -> None:
    objects = SlowObjects(tmp_path)
    async with opened_store(tmp_path, objects) as store:
        made = await store.put(ANN, NOTE, chunks_of(b"same"))
        deleting = asyncio.create_task(store.delete(ANN, made.artifact_id, ""))
        await objects.asked.wait()
        deleting.cancel()
        await asyncio.gather(deleting, return_exceptions=True)
        putting = asyncio.create_task(store.put(ANN, NOTE, chunks_of(b"same")))
        await asyncio.wait({putting}, timeout=0.05)
        objects.let.set()
        again = await putting
        await store.stop()
        assert (await store.read(ANN, again.artifact_id, 0, 9))[1] == b"same"


async def test_what_is_deleted_while_it_is_read_is_unknown_and_not_lost(tmp_path: Path) -> None:
    class Meanwhile(ArtifactObjects):
        async def read(self, content: Content, offset: int, length: int) -> bytes | None:
            await store.delete(ANN, made.artifact_id, "")
            return await super().read(content, offset, length)

    async with opened_store(tmp_path, Meanwhile(partial(files_in, tmp_path))) as store:
        made = await store.put(ANN, NOTE, chunks_of(b"x"))
        with pytest.raises(NotFound, match="ARTIFACT_UNKNOWN"):
            await store.read(ANN, made.artifact_id, 0, 1)


async def test_what_is_refused_leaves_no_file(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        for number in range(QUOTA // LIMIT):
            await store.put(ANN, NOTE, chunks_of(bytes([number]) * LIMIT))
        before = files_of(tmp_path)
        for request_id in ("", "r"):
            with pytest.raises(QuotaExceeded):
                await store.put(ANN, NewArtifact("more", request_id=request_id), chunks_of(b"more"))
        assert files_of(tmp_path) == before


async def test_a_full_organisation_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    async def untouched() -> AsyncIterator[bytes]:
        raise AssertionError
        yield b""

    async with opened_store(tmp_path) as store:
        for number in range(QUOTA // LIMIT):
            await store.put(ANN, NOTE, chunks_of(bytes([number]) * LIMIT))
        with pytest.raises(QuotaExceeded):
            await store.put(ANN, NOTE, untouched())


async def test_bytes_are_on_the_disk_before_their_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    flush = os.fsync

    def noted(descriptor: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{descriptor}").readlink().parent.name)
        flush(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    async with opened_store(tmp_path) as store:
        made = await store.put(ANN, NOTE, chunks_of(b"x"))
    assert flushed == ["staging", ANN.org_id.encode().hex()]
    assert made.size_bytes == 1


async def test_lost_bytes_are_told_and_come_back_with_the_same_file(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        made = await store.put(ANN, NOTE, chunks_of(b"whole"))
        (file,) = files_of(tmp_path)
        for damage in (lambda: file.write_bytes(b"wh"), file.unlink):
            damage()
            with pytest.raises(UpstreamDown, match="ARTIFACT_LOST"):
                await store.read(ANN, made.artifact_id, 0, 9)
        await store.put(ANN, NOTE, chunks_of(b"whole"))
        assert (await store.read(ANN, made.artifact_id, 0, 9))[1] == b"whole"


async def test_reading_on_in_what_was_deleted_ends_clearly(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        made = await store.put(ANN, NOTE, chunks_of(b"x"))
        opened = await store.open(ANN, made.artifact_id)
        await store.delete(ANN, made.artifact_id, "")
        with pytest.raises(NotFound, match="ARTIFACT_UNKNOWN"):
            await anext(opened.pieces)


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "artifacts"
    folder.mkdir(mode=0o755)
    assert open_store("", folder) == LocalStore(prefix=folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    elsewhere = tmp_path / "deep" / "er"
    assert open_store(f"file://{elsewhere}", folder) == LocalStore(prefix=elsewhere)


def test_a_bucket_is_a_store_too(tmp_path: Path) -> None:
    store = open_store("s3://bucket/prefix", tmp_path)
    assert isinstance(store, S3Store)
    assert (store.config["bucket"], store.prefix) == ("bucket", "prefix")


@pytest.mark.parametrize(
    "url", ["s3://", "s3://key:secret@bucket", "http://host/x", "file://host/x", "file://", "words", "memory:///"]
)
def test_another_address_is_refused_and_not_repeated(tmp_path: Path, url: str) -> None:
    with pytest.raises(PreconditionFailed, match="ARTIFACTS_URL_INVALID") as caught:
        open_store(url, tmp_path)
    assert "secret" not in str(caught.value)


async def test_a_store_that_cannot_be_used_says_so_without_paths(tmp_path: Path) -> None:
    async with opened_store(tmp_path) as store:
        (tmp_path / "artifacts").rmdir()
        (tmp_path / "artifacts").write_text("no folder")
        with pytest.raises(UpstreamDown, match="ARTIFACT_STORAGE_UNAVAILABLE") as caught:
            await store.put(ANN, NOTE, chunks_of(b"x"))
        assert str(tmp_path) not in str(caught.value)
