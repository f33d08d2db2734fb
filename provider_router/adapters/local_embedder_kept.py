"""A local embedder that keeps its vectors in a file: what was embedded once is not embedded at every start.

The file is one line with the model's name and the vectors' length, then records: 16 bytes of a text's BLAKE2b hash, and
its vector as 32-bit floats in the machine's order. Records are only added; a file with a torn one is begun anew. Texts
are not kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from provider_router.ports.local_embedder import LocalEmbedder

_HASH_BYTES = 16
_FLOAT_BYTES = 4
_MOST_BYTES = 64 * 1024 * 1024
_SAME = 1e-3
_Vector: TypeAlias = tuple[float, ...]


class KeptLocalEmbedder:
    """Implements `LocalEmbedder` around another one. For a bounded set of texts: it forgets none.

    A model may be another one under the same name, so the first text of each start is embedded anew; where its vector
    is not the kept one, all that was kept is dropped.

    Args:
        embedder: Embeds what is not kept.
        file: Made when there is something to keep. One that cannot be read or written is as if there were none.
    """

    def __init__(self, embedder: LocalEmbedder, file: Path) -> None:
        self._embedder = embedder
        self._file = file
        self._model = ""
        self._kept: dict[bytes, _Vector] = {}

    def model(self) -> str:
        """Which model would embed now."""
        return self._embedder.model()

    async def embed(self, texts: Sequence[str]) -> tuple[_Vector, ...]:
        """Returns one vector of unit length a text."""
        model = self.model()
        if model != self._model:
            await self._open(model, texts[0])
        missing = [text for text in texts if _hash_of(text) not in self._kept]
        if missing:
            vectors = await self._embedder.embed(missing)
            new = {_hash_of(text): vector for text, vector in zip(missing, vectors, strict=True)}
            self._kept |= new
            await asyncio.to_thread(_add, self._file, new)
        return tuple(self._kept[_hash_of(text)] for text in texts)

    async def _open(self, model: str, text: str) -> None:
        (fresh,) = await self._embedder.embed([text])
        kept = await asyncio.to_thread(_read, self._file, model)
        known = kept.get(_hash_of(text))
        if known is None or not _is_same(known, fresh):
            kept = {_hash_of(text): fresh}
            await asyncio.to_thread(_start, self._file, model, kept)
        self._model, self._kept = model, kept


def _hash_of(text: str) -> bytes:
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_HASH_BYTES).digest()


def _is_same(one: _Vector, other: _Vector) -> bool:
    return len(one) == len(other) and all(abs(a - b) < _SAME for a, b in zip(one, other, strict=True))


def _read(file: Path, model: str) -> dict[bytes, _Vector]:
    """What is kept for `model`; nothing where there is no such file, it is torn, or it is another model's."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES)
    except OSError:
        return {}
    head, _, records = content.partition(b"\n")
    name, _, dimensions = head.rpartition(b" ")
    if name != model.encode() or not dimensions.isdigit():
        return {}
    size = _HASH_BYTES + _FLOAT_BYTES * int(dimensions)
    if len(records) % size:
        return {}
    each = (records[at : at + size] for at in range(0, len(records), size))
    return {record[:_HASH_BYTES]: _floats(record[_HASH_BYTES:]) for record in each}


def _floats(raw: bytes) -> _Vector:
    return tuple(array("f", raw))


def _start(file: Path, model: str, vectors: Mapping[bytes, _Vector]) -> None:
    dimensions = len(next(iter(vectors.values())))
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new = file.with_suffix(f".{os.getpid()}.new")
        new.write_bytes(f"{model} {dimensions}\n".encode() + _records(vectors))
        new.replace(file)
    except OSError:
        # It only saves time: what cannot be kept is embedded again.
        return


def _add(file: Path, vectors: Mapping[bytes, _Vector]) -> None:
    try:
        with file.open("r+b") as opened:
            opened.seek(0, 2)
            opened.write(_records(vectors))
    except OSError:
        return


def _records(vectors: Mapping[bytes, _Vector]) -> bytes:
    return b"".join(key + array("f", vector).tobytes() for key, vector in vectors.items())
