"""Knowledge in a Chroma database of this machine."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from shared.clock import Clock
from shared.telemetry.logging import get_logger
from tool_executor.domain.knowledge import Deposit, Deposited, KnowledgeHit, Passage, SourcePage, SourceState
from tool_executor.domain.knowledge_errors import knowledge_full, model_changed, store_unavailable
from tool_executor.ports.embedder import Embedded

if TYPE_CHECKING:
    from chromadb.api.client import Client
    from chromadb.api.models.Collection import Collection

_log = get_logger(__name__)
_PIECE = 2_000
"""Rows that are read or removed at once."""
_MODEL = "model"
_T = TypeVar("_T")


class ChromaKnowledgeStore:
    """Implements `KnowledgeStore` with one collection an organisation.

    Chroma costs half a second and some 60 MB to load: that happens at the first use. One thread does all its work, in
    turn, so that nothing changes between a look and what follows from it. It makes no vectors and opens no connection.

    Args:
        folder: of the database, made for this user alone; one process may use it.
        clock: when passages were put.
        most_passages: of an organisation.
    """

    def __init__(self, folder: Path, clock: Clock, *, most_passages: int) -> None:
        self._folder = folder
        self._clock = clock
        self._most_passages = most_passages
        self._client: Client | None = None
        self._thread = ThreadPoolExecutor(1, "knowledge")

    async def stop(self) -> None:
        """Let the work at hand end and close the database. Idempotent."""
        await asyncio.to_thread(self._thread.shutdown)
        if self._client is not None:
            self._client.close()
            self._client = None

    async def model(self, org_id: str) -> str:
        """Return the embedding model of the organisation's vectors; empty when it knows nothing."""
        return await self._do(partial(self._model, org_id), "")

    async def put(self, org_id: str, deposit: Deposit, embedded: Embedded) -> Deposited:
        """Keep passages with their vectors."""
        return await self._do(partial(self._put, org_id, deposit, embedded))

    async def sources(self, org_id: str, *, after: str, size: int) -> SourcePage:
        """Return a page of sources by name. Reads a row for each passage: half a second for 20,000."""
        return await self._do(partial(self._sources, org_id, after, size), SourcePage((), ""))

    async def remove(self, org_id: str, source: str) -> int:
        """Remove a source and return how many passages it had."""
        return await self._do(partial(self._remove, org_id, source), 0)

    async def nearest(self, org_id: str, question: Embedded, *, source: str, limit: int) -> list[KnowledgeHit]:
        """Return the passages that are nearest to the question."""
        return await self._do(partial(self._nearest, org_id, question, source, limit), [])

    async def _do(self, work: Callable[[Client], _T], nothing: _T | None = None) -> _T:
        """Do `work` in the thread; where nobody ever put anything, return `nothing` and load nothing."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._done, work, nothing)

    def _done(self, work: Callable[[Client], _T], nothing: _T | None) -> _T:
        if self._client is None and nothing is not None and not self._folder.exists():
            return nothing
        if self._client is None:
            self._client = _opened(self._folder)
        from chromadb.errors import ChromaError

        try:
            return work(self._client)
        except (ChromaError, OSError) as error:
            _log.exception("knowledge_store_failed")
            raise store_unavailable() from error

    def _model(self, org_id: str, client: Client) -> str:
        found = _collection(client, org_id)
        return "" if found is None else _model_of(found)

    def _put(self, org_id: str, deposit: Deposit, embedded: Embedded, client: Client) -> Deposited:
        rows = {_id(deposit.source, passage.text): at for at, passage in enumerate(deposit.passages)}
        ids, places = list(rows), list(rows.values())
        found = _collection(client, org_id)
        known = _compared(found, embedded).get(ids=ids, include=[])["ids"] if found else []
        new = len(ids) - len(known)
        if (found.count() if found else 0) + new > self._most_passages:
            raise knowledge_full(self._most_passages)
        kept = found or _created(client, org_id, embedded.model)
        put_at = self._clock.now().timestamp()
        passages = [deposit.passages[at] for at in places]
        # One transaction of Chroma's: all of them, or none.
        kept.upsert(
            ids=ids,
            embeddings=[list(embedded.vectors[at]) for at in places],
            documents=[each.text for each in passages],
            metadatas=[
                {"source": deposit.source, "title": each.title, "url": each.url, "put_at": put_at} for each in passages
            ],
        )
        present = _ids_of(kept, deposit.source)
        stale = [each for each in present if each not in rows] if deposit.replace else []
        _delete(kept, stale)
        return Deposited(new, len(present) - len(stale))

    def _sources(self, org_id: str, after: str, size: int, client: Client) -> SourcePage:
        counts: Counter[str] = Counter()
        put_at: dict[str, float] = {}
        found = _collection(client, org_id)
        for name, at in _put_times(found) if found else ():
            counts[name] += 1
            put_at[name] = max(put_at.get(name, 0.0), at)
        names = sorted(name for name in counts if name > after)
        listed = [SourceState(name, counts[name], datetime.fromtimestamp(put_at[name], UTC)) for name in names[:size]]
        return SourcePage(listed, listed[-1].name if len(names) > size else "")

    def _remove(self, org_id: str, source: str, client: Client) -> int:
        found = _collection(client, org_id)
        if found is None:
            return 0
        ids = _ids_of(found, source)
        _delete(found, ids)
        return len(ids)

    def _nearest(self, org_id: str, question: Embedded, source: str, limit: int, client: Client) -> list[KnowledgeHit]:
        found = _collection(client, org_id)
        if found is None:
            return []
        answer = _compared(found, question).query(
            query_embeddings=[list(question.vectors[0])],
            n_results=limit,
            where={"source": source} if source else None,
            include=["documents", "metadatas", "distances"],
        )
        (texts,), (rows,), (distances,) = (
            answer["documents"] or [[]],
            answer["metadatas"] or [[]],
            answer["distances"] or [[]],
        )
        return [
            KnowledgeHit(
                Passage(text, str(row["title"]), str(row["url"])),
                str(row["source"]),
                max(-1.0, min(1.0, 1.0 - distance)),
            )
            for text, row, distance in zip(texts, rows, distances, strict=True)
        ]


def _opened(folder: Path) -> Client:
    """Open the database of `folder`. Raises UpstreamDown: KNOWLEDGE_STORE_UNAVAILABLE."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        return _client_of(folder)
    # ValueError: what Chroma makes of variables of the environment that it takes for its own.
    except (OSError, ValueError) as error:
        _log.exception("knowledge_store_failed")
        raise store_unavailable() from error


def _client_of(folder: Path) -> Client:
    import chromadb
    from chromadb.api.shared_system_client import SharedSystemClient
    from chromadb.config import Settings
    from chromadb.errors import ChromaError

    # Chroma would read variables and a file `.env` of its own: what matters is said here.
    options: dict[str, Any] = {
        "_env_file": None,
        "chroma_api_impl": "chromadb.api.rust.RustBindingsAPI",
        "anonymized_telemetry": False,
        "chroma_otel_collection_endpoint": "",
        "allow_reset": False,
        "migrations": "apply",
    }
    try:
        return cast("Client", chromadb.PersistentClient(str(folder), Settings(**options)))
    except ChromaError as error:
        # It keeps what it could not open, and would never try again.
        SharedSystemClient.clear_system_cache()
        raise OSError("The database cannot be opened.") from error


def _name(org_id: str) -> str:
    """Return the name of an organisation's collection: whatever its id looks like, no two share one."""
    return f"org-{hashlib.sha256(org_id.encode()).hexdigest()}"


def _id(source: str, text: str) -> str:
    return hashlib.sha256(f"{len(source)}:{source}{text}".encode()).hexdigest()


def _collection(client: Client, org_id: str) -> Collection | None:
    """Return what an organisation has, None for nothing; an empty collection goes, and its embedding model with it."""
    from chromadb.errors import NotFoundError

    try:
        found = client.get_collection(_name(org_id), embedding_function=None)
    except NotFoundError:
        return None
    if found.count():
        return found
    client.delete_collection(found.name)
    return None


def _created(client: Client, org_id: str, model: str) -> Collection:
    return client.create_collection(
        _name(org_id),
        configuration={"hnsw": {"space": "cosine"}},
        metadata={_MODEL: model},
        embedding_function=None,
    )


def _model_of(collection: Collection) -> str:
    return str((collection.metadata or {})[_MODEL])


def _compared(collection: Collection, embedded: Embedded) -> Collection:
    """Return the collection when its vectors compare with these. Raises PreconditionFailed: KNOWLEDGE_MODEL_CHANGED."""
    kept = _model_of(collection)
    if kept != embedded.model:
        raise model_changed(kept, embedded.model)
    return collection


def _ids_of(collection: Collection, source: str) -> list[str]:
    return collection.get(where={"source": source}, include=[])["ids"]


def _put_times(collection: Collection) -> Generator[tuple[str, float]]:
    """Yield the source of each passage, and when it was put."""
    for offset in range(0, collection.count(), _PIECE):
        rows = collection.get(include=["metadatas"], limit=_PIECE, offset=offset)["metadatas"]
        yield from ((str(row["source"]), cast("float", row["put_at"])) for row in rows or ())


def _delete(collection: Collection, ids: Sequence[str]) -> None:
    for start in range(0, len(ids), _PIECE):
        collection.delete(ids=list(ids[start : start + _PIECE]))
