"""What every artifact store does: the model of the unit tests, files in a folder, objects in memory."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from artifact_fakes import LIMIT, QUOTA, MemoryArtifactStore, chunks_of, memory_objects, opened_store

from shared.errors import AlreadyExists, InvalidInput, NexusError, NotFound, QuotaExceeded
from shared.testing.harness import principal
from tool_executor.domain.artifact import LEAST_CHARGE_BYTES, Artifact, NewArtifact
from tool_executor.ports.artifact_store import ArtifactStore

ANN = principal("org-a", "ann")
BOB = principal("org-a", "bob")
EVE = principal("org-b", "ann")
NOTE = NewArtifact("note.txt", run_id="run-1", tool="echo")


@pytest.fixture(params=["model", "files", "memory"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[ArtifactStore]:
    if request.param == "model":
        yield MemoryArtifactStore()
        return
    async with opened_store(tmp_path, memory_objects() if request.param == "memory" else None) as opened:
        yield opened


async def put(store: ArtifactStore, data: bytes, owner=ANN, new: NewArtifact = NOTE) -> Artifact:
    return await store.put(owner, new, chunks_of(data))


async def test_what_was_put_can_be_read_whole_and_in_pieces(store: ArtifactStore) -> None:
    made = await store.put(ANN, NOTE, chunks_of(b"one ", b"", b"two ", b"three"))
    assert (made.name, made.media_type, made.size_bytes) == ("note.txt", "text/plain", 13)
    assert made.sha256 == hashlib.sha256(b"one two three").hexdigest()
    assert (made.tool, made.run_id, made.user_id) == ("echo", "run-1", "ann")
    assert await store.get(BOB, made.artifact_id) == made
    assert await store.read(ANN, made.artifact_id, 4, 3) == (made, b"two")
    assert [(await store.read(ANN, made.artifact_id, *at))[1] for at in ((9, 99), (13, 5), (99, 5))] == [
        b"hree",
        b"",
        b"",
    ]
    opened = await store.open(ANN, made.artifact_id)
    assert (opened.artifact, b"".join([piece async for piece in opened.pieces])) == (made, b"one two three")


async def test_an_empty_file_is_one_too(store: ArtifactStore) -> None:
    made = await put(store, b"")
    assert made.size_bytes == 0
    assert await store.read(ANN, made.artifact_id, 0, 10) == (made, b"")


async def test_another_organisation_sees_and_deletes_nothing(store: ArtifactStore) -> None:
    made = await put(store, b"secret")
    for attempt in (
        store.get(EVE, made.artifact_id),
        store.read(EVE, made.artifact_id, 0, 1),
        store.open(EVE, made.artifact_id),
        store.delete(EVE, made.artifact_id, "r"),
    ):
        with pytest.raises(NotFound, match="ARTIFACT_UNKNOWN"):
            await attempt
    assert (await store.page(EVE, run_id="", before="", size=9)).artifacts == ()
    assert (await store.read(ANN, made.artifact_id, 0, 9))[1] == b"secret"


async def test_the_same_bytes_outlive_one_of_their_artifacts(store: ArtifactStore) -> None:
    first, second, theirs = await put(store, b"same"), await put(store, b"same", BOB), await put(store, b"same", EVE)
    await store.delete(ANN, first.artifact_id, "")
    assert (await store.read(ANN, second.artifact_id, 0, 9))[1] == b"same"
    await store.delete(ANN, second.artifact_id, "")
    assert (await store.read(EVE, theirs.artifact_id, 0, 9))[1] == b"same"


async def test_a_repeated_request_makes_one_artifact(store: ArtifactStore) -> None:
    new = NewArtifact("a.txt", request_id="r")
    made = await put(store, b"x", new=new)
    assert await put(store, b"x", new=new) == made
    for owner, other, data in ((ANN, new, b"y"), (BOB, new, b"x"), (ANN, NewArtifact("b.txt", request_id="r"), b"x")):
        with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
            await put(store, data, owner, other)
    assert (await put(store, b"x", EVE, new)).artifact_id != made.artifact_id
    assert (await store.page(ANN, run_id="", before="", size=9)).artifacts == (made,)
    assert (await store.read(ANN, made.artifact_id, 0, 9))[1] == b"x"


async def test_a_repeated_deletion_is_one(store: ArtifactStore) -> None:
    made, other = await put(store, b"x"), await put(store, b"y")
    await store.delete(ANN, made.artifact_id, "r")
    await store.delete(ANN, made.artifact_id, "r")
    with pytest.raises(NotFound):
        await store.delete(ANN, made.artifact_id, "s")
    with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
        await store.delete(ANN, other.artifact_id, "r")


async def test_too_much_is_refused_and_nothing_stays(store: ArtifactStore) -> None:
    with pytest.raises(InvalidInput, match="ARTIFACT_TOO_LARGE"):
        await store.put(ANN, NOTE, chunks_of(b"x" * LIMIT, b"x"))
    for number in range(QUOTA // LIMIT):
        await put(store, bytes([number]) * LIMIT)
    with pytest.raises(QuotaExceeded, match="ARTIFACT_QUOTA_EXCEEDED") as caught:
        await put(store, b"", new=NewArtifact("empty", request_id="r"))
    assert caught.value.metadata == {"limit_bytes": str(QUOTA), "used_bytes": str(QUOTA)}
    await put(store, b"x", EVE)
    newest = (await store.page(ANN, run_id="", before="", size=9)).artifacts
    assert len(newest) == QUOTA // LIMIT
    await store.delete(ANN, newest[0].artifact_id, "")
    assert (await put(store, b"fits now")).size_bytes == 8


async def test_puts_at_once_keep_to_the_quota(store: ArtifactStore) -> None:
    most = QUOTA // LEAST_CHARGE_BYTES
    outcomes = await asyncio.gather(*(put(store, b"%d" % n) for n in range(most + 5)), return_exceptions=True)
    assert sum(isinstance(outcome, QuotaExceeded) for outcome in outcomes) == 5
    assert len((await store.page(ANN, run_id="", before="", size=500)).artifacts) == most


async def test_a_file_that_breaks_off_is_not_there(store: ArtifactStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 1000
        raise NotFound("GONE", "It is gone.")

    with pytest.raises(NexusError, match="GONE"):
        await store.put(ANN, NOTE, broken())
    assert (await store.page(ANN, run_id="", before="", size=9)).artifacts == ()


async def test_pages_are_newest_first_and_by_run(store: ArtifactStore) -> None:
    made = [await put(store, b"%d" % n, new=NewArtifact("n", run_id=f"run-{n % 2}")) for n in range(5)]
    first = await store.page(ANN, run_id="", before="", size=3)
    assert [each.artifact_id for each in first.artifacts] == [each.artifact_id for each in reversed(made[2:])]
    assert first.next_before is not None
    await store.delete(ANN, first.next_before, "")
    rest = await store.page(ANN, run_id="", before=first.next_before, size=3)
    assert (rest.artifacts, rest.next_before) == ((made[1], made[0]), None)
    of_run = await store.page(ANN, run_id="run-1", before="", size=9)
    assert (of_run.artifacts, of_run.next_before) == ((made[3], made[1]), None)
