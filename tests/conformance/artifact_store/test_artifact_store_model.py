"""Whatever is done to the real store, it answers as a plain model does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

from artifact_fakes import LIMIT, MemoryArtifactStore, chunks_of, files_of, opened_store
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NexusError
from shared.testing.harness import principal
from tool_executor.domain.artifact import NewArtifact
from tool_executor.ports.artifact_store import ArtifactStore

_WHO = st.sampled_from([("a", "ann"), ("a", "bob"), ("b", "ann")])
_REQUEST = st.sampled_from(["", "", "r", "s"])
_PUT = st.tuples(
    st.just("put"),
    _WHO,
    st.sampled_from(["a.txt", "../b.png", "c"]),
    st.one_of(st.sampled_from([b"", b"x", b"\x89PNG\r\n\x1a\n..", b"y" * LIMIT, b"z" * (LIMIT + 1)]), st.binary()),
    _REQUEST,
)
_PLACE = st.integers(0, 12)
_DELETE = st.tuples(st.just("delete"), _WHO, _PLACE, _REQUEST)
_READ = st.tuples(st.just("read"), _WHO, _PLACE, st.integers(0, 5), st.integers(1, 70_000))
_LIST = st.tuples(st.just("list"), _WHO, st.sampled_from(["", "run-1"]), _PLACE, st.integers(1, 4))
_STEPS = st.lists(st.one_of(_PUT, _PUT, _DELETE, _READ, _LIST), max_size=14)


async def _outcome(answer: Awaitable[object]) -> object:
    try:
        return await answer
    except NexusError as error:
        return (type(error), error.reason, error.metadata)


async def _done(store: ArtifactStore, turn: str, step: tuple) -> object:
    verb, (org, user), *rest = step
    who = principal(f"{org}{turn}", user)
    match verb, rest:
        case "put", (name, data, request_id):
            new = NewArtifact(name, "", "", f"run-{len(data) % 2}", request_id)
            return await _outcome(store.put(who, new, chunks_of(data[:3], data[3:])))
        case "delete", (place, request_id):
            return await _outcome(store.delete(who, f"{turn}-{place:02}", request_id))
        case "read", (place, offset, length):
            return await _outcome(store.read(who, f"{turn}-{place:02}", offset, length))
        case _, (run_id, place, size):
            return await _outcome(
                store.page(who, run_id=run_id, before=f"{turn}-{place:02}" if place else "", size=size)
            )


def test_the_store_answers_as_the_model(tmp_path: Path) -> None:
    with asyncio.Runner() as runner:
        place = ["", 0]

        def next_id() -> str:
            return f"{place[0]}-{place[1]:02}"

        model = MemoryArtifactStore(new_id=next_id)
        opening = opened_store(tmp_path, clock=model.clock, ids=next_id)
        store = runner.run(opening.__aenter__())
        turns = iter(range(10_000))

        @given(_STEPS)
        @settings(max_examples=40)
        def compare(steps: list[tuple]) -> None:
            place[0] = f"{next(turns):04}"
            for number, step in enumerate(steps):
                place[1] = number
                expected = runner.run(_done(model, place[0], step))
                assert runner.run(_done(store, place[0], step)) == expected, step

        compare()
        # And nothing is on the disk but what the model has, once.
        contents = {(org, artifact.sha256) for (org, _), (artifact, _) in model.kept.items()}
        assert len(files_of(tmp_path)) == len(contents)
        runner.run(opening.__aexit__(None, None, None))
