"""The store of knowledge: in memory, and in Chroma."""

from __future__ import annotations

import socket
import stat
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from knowledge_fakes import MOST, MemoryKnowledgeStore, opened_chroma

from shared.errors import PreconditionFailed, QuotaExceeded, UpstreamDown
from shared.testing.fakes import FakeClock
from tool_executor.domain.knowledge import Deposit, Deposited, Passage, SourceState
from tool_executor.ports.embedder import Embedded, Vector
from tool_executor.ports.knowledge_store import KnowledgeStore

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
NORTH, EAST, BETWEEN, SOUTH = (0.0, 1.0), (1.0, 0.0), (0.6, 0.8), (0.0, -1.0)


@pytest.fixture(params=["memory", "chroma"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[KnowledgeStore]:
    async with AsyncExitStack() as stack:
        if request.param == "memory":
            yield MemoryKnowledgeStore(FakeClock(NOON))
        else:
            yield await stack.enter_async_context(opened_chroma(tmp_path / "chroma", FakeClock(NOON)))


def by(*vectors: Vector, model: str = "a/model") -> Embedded:
    return Embedded(model, vectors)


def deposit(source: str, *texts: str, replace: bool = False) -> Deposit:
    return Deposit(source, [Passage(text) for text in texts], replace)


async def found(
    store: KnowledgeStore, vector: Vector, org_id: str = "org-a", *, source: str = "", limit: int = 9
) -> Sequence[str]:
    return [hit.passage.text for hit in await store.nearest(org_id, by(vector), source=source, limit=limit)]


async def listed(store: KnowledgeStore, org_id: str = "org-a") -> dict[str, int]:
    page = await store.sources(org_id, after="", size=9)
    return {each.name: each.passages for each in page.sources}


async def test_nothing_is_known_at_first(store: KnowledgeStore) -> None:
    assert await store.model("org-a") == ""
    assert await store.nearest("org-a", by(NORTH), source="", limit=3) == []
    assert await listed(store) == {}
    assert await store.remove("org-a", "book") == 0


async def test_the_nearest_come_first_with_all_that_was_put(store: KnowledgeStore) -> None:
    whole = Passage("north\nof\0 here \u00e9", "A title", "https://a.example/")
    await store.put("org-a", Deposit("book", [Passage("east"), whole]), by(EAST, NORTH))
    await store.put("org-a", deposit("page", "south"), by(SOUTH))
    first, second, third = await store.nearest("org-a", by(BETWEEN), source="", limit=9)
    assert (first.passage, first.source, second.passage.text, third.source) == (whole, "book", "east", "page")
    assert [hit.score for hit in (first, second, third)] == pytest.approx([0.8, 0.6, -0.8], abs=1e-5)
    assert await found(store, BETWEEN, limit=1) == [whole.text]
    assert await found(store, BETWEEN, source="page") == ["south"]
    assert await found(store, BETWEEN, source="none") == []
    assert await store.model("org-a") == "a/model"


async def test_the_same_text_is_there_once_and_tells_what_came_last(store: KnowledgeStore) -> None:
    assert await store.put("org-a", deposit("book", "a", "b", "a"), by(NORTH, EAST, NORTH)) == Deposited(2, 2)
    assert await store.put("org-a", Deposit("book", [Passage("a", "T")]), by(NORTH)) == Deposited(0, 2)
    assert await store.put("org-a", deposit("page", "a"), by(NORTH)) == Deposited(1, 1)
    titles = {(hit.source, hit.passage.title) for hit in await store.nearest("org-a", by(NORTH), source="", limit=2)}
    assert titles == {("book", "T"), ("page", "")}


async def test_a_put_that_replaces_leaves_only_what_it_brings(store: KnowledgeStore) -> None:
    await store.put("org-a", deposit("book", "a", "b"), by(NORTH, EAST))
    await store.put("org-a", deposit("page", "p"), by(SOUTH))
    assert await store.put("org-a", deposit("book", "b", "c", replace=True), by(EAST, NORTH)) == Deposited(1, 2)
    assert sorted(await found(store, NORTH)) == ["b", "c", "p"]


async def test_organisations_know_nothing_of_each_other(store: KnowledgeStore) -> None:
    # Ids that a name made from them with less care would mix up.
    for org_id in ("org", "ORG", "org.", "../org", "o" * 600, "\u00fc"):
        await store.put(org_id, deposit("book", f"of {org_id}"), by(NORTH, model=f"m/{org_id[:9]}"))
    for org_id in ("org", "ORG", "org.", "../org", "o" * 600, "\u00fc"):
        hits = await store.nearest(org_id, by(NORTH, model=f"m/{org_id[:9]}"), source="", limit=9)
        assert [hit.passage.text for hit in hits] == [f"of {org_id}"]
    assert await store.remove("ORG", "book") == 1
    assert (await listed(store, "org"), await listed(store, "ORG")) == ({"book": 1}, {})


async def test_sources_are_listed_by_name_in_pages(store: KnowledgeStore) -> None:
    for name in ("b", "c", "a"):
        await store.put("org-a", deposit(name, "1", "2"), by(NORTH, EAST))
    page = await store.sources("org-a", after="", size=2)
    assert (page.sources, page.next_after) == ([SourceState(name, 2, NOON) for name in "ab"], "b")
    last = await store.sources("org-a", after=page.next_after, size=2)
    assert ([each.name for each in last.sources], last.next_after) == (["c"], "")


async def test_a_source_goes_with_all_its_passages(store: KnowledgeStore) -> None:
    await store.put("org-a", deposit("book", "a", "b"), by(NORTH, EAST))
    await store.put("org-a", deposit("page", "p"), by(SOUTH))
    assert await store.remove("org-a", "book") == 2
    assert await store.remove("org-a", "book") == 0
    assert (await found(store, NORTH), await listed(store)) == (["p"], {"page": 1})


async def test_vectors_of_another_model_are_refused_until_all_is_gone(store: KnowledgeStore) -> None:
    await store.put("org-a", deposit("book", "a"), by(NORTH))
    other = by((1.0, 0.0, 0.0), model="b/model")
    with pytest.raises(PreconditionFailed, match=r"KNOWLEDGE_MODEL_CHANGED.*'a/model'.*'b/model'.*nexus knowledge"):
        await store.put("org-a", deposit("page", "p"), other)
    with pytest.raises(PreconditionFailed, match="KNOWLEDGE_MODEL_CHANGED"):
        await store.nearest("org-a", other, source="", limit=1)
    assert await listed(store) == {"book": 1}
    await store.remove("org-a", "book")
    assert await store.model("org-a") == ""
    assert await store.put("org-a", deposit("page", "p"), other) == Deposited(1, 1)
    assert await store.model("org-a") == "b/model"


async def test_an_organisation_has_so_many_passages_and_no_more(store: KnowledgeStore) -> None:
    texts = [str(number) for number in range(MOST)]
    await store.put("org-a", deposit("book", *texts), by(*[NORTH] * MOST))
    await store.put("org-a", deposit("book", *texts), by(*[NORTH] * MOST))
    for full in (deposit("book", "one more"), deposit("page", "0")):
        with pytest.raises(QuotaExceeded, match="KNOWLEDGE_FULL"):
            await store.put("org-a", full, by(NORTH))
    assert await listed(store) == {"book": MOST}
    await store.put("org-b", deposit("book", "theirs"), by(NORTH))


async def test_the_folder_is_its_users_alone_and_what_is_in_it_stays(tmp_path: Path) -> None:
    folder = tmp_path / "chroma"
    async with opened_chroma(folder, FakeClock(NOON)) as store:
        await store.put("org-a", deposit("book", "a", "b"), by(NORTH, EAST))
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    async with opened_chroma(folder, FakeClock(NOON + timedelta(days=1))) as store:
        assert await store.model("org-a") == "a/model"
        await store.put("org-a", deposit("page", "p"), by(SOUTH))
        assert await found(store, NORTH) == ["a", "b", "p"]
        page = await store.sources("org-a", after="", size=9)
        assert [each.put_at for each in page.sources] == [NOON, NOON + timedelta(days=1)]


async def test_reading_where_nobody_put_anything_makes_nothing(tmp_path: Path) -> None:
    async with opened_chroma(tmp_path / "chroma") as store:
        await test_nothing_is_known_at_first(store)
    assert not (tmp_path / "chroma").exists()


async def test_a_database_that_cannot_be_read_is_told_and_tried_again(tmp_path: Path) -> None:
    damaged = tmp_path / "chroma" / "chroma.sqlite3"
    damaged.parent.mkdir()
    damaged.write_bytes(b"no database" * 999)
    async with opened_chroma(tmp_path / "chroma") as store:
        for _ in range(2):
            with pytest.raises(UpstreamDown, match="KNOWLEDGE_STORE_UNAVAILABLE"):
                await store.model("org-a")
        damaged.unlink()
        assert await store.put("org-a", deposit("book", "a"), by(NORTH)) == Deposited(1, 1)


async def test_no_connection_is_opened_and_no_variable_heeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Refused(socket.socket):
        def connect(self, address: object) -> None:
            raise AssertionError(address)

        connect_ex = sendto = connect  # type: ignore[assignment]

    monkeypatch.setattr(socket, "socket", Refused)
    monkeypatch.setattr(socket, "getaddrinfo", Refused.connect)
    for name, value in {
        "CHROMA_API_IMPL": "chromadb.api.fastapi.FastAPI",
        "CHROMA_SERVER_HOST": "203.0.113.1",
        "CHROMA_OTEL_COLLECTION_ENDPOINT": "http://203.0.113.1:4317",
        "ANONYMIZED_TELEMETRY": "true",
    }.items():
        monkeypatch.setenv(name, value)
    async with opened_chroma(tmp_path / "chroma") as store:
        await store.put("org-a", deposit("book", "a"), by(NORTH))
        assert await found(store, NORTH) == ["a"]
