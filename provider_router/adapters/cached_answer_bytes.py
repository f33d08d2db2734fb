"""Cached answers and vectors as bytes. Whatever was damaged is found when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import orjson

from provider_router.domain.cache.cached_answer import CachedAnswer, Delta
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import TextDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage

_DIGEST_BYTES = 16
_FLOAT = "<f4"
_MICRO = 1_000_000


def answer_bytes(answer: CachedAnswer) -> bytes:
    """A digest and one JSON document."""
    document: dict[str, object] = {
        "model": answer.model,
        "demonstration": answer.demonstration,
        "decision_id": answer.decision_id,
        "deltas": [_packed(delta) for delta in answer.deltas],
        "finish_reason": answer.finish_reason.value,
        "usage": _usage_packed(answer.usage),
        "created_us": microseconds(answer.created),
    }
    body = orjson.dumps(document)
    return _digest(body) + body


def answer_of(data: object) -> CachedAnswer | None:
    """The answer; None when a bit of it is not as it was written, or it was written in another form."""
    if not isinstance(data, bytes) or _digest(data[_DIGEST_BYTES:]) != data[:_DIGEST_BYTES]:
        return None
    try:
        fields = cast("dict[str, Any]", orjson.loads(data[_DIGEST_BYTES:]))
        return CachedAnswer(
            model=fields["model"],
            demonstration=fields["demonstration"],
            decision_id=fields["decision_id"],
            deltas=tuple(_unpacked(each) for each in fields["deltas"]),
            finish_reason=FinishReason(fields["finish_reason"]),
            usage=TokenUsage(**fields["usage"]) if fields["usage"] is not None else None,
            created=moment(fields["created_us"]),
        )
    except (ValueError, KeyError, TypeError):
        return None


def vector_bytes(vector: Sequence[float]) -> bytes:
    """Four bytes a number, little-endian."""
    # Imported where it is needed: who caches nothing need not pay for it.
    import numpy as np

    return np.asarray(vector, dtype=_FLOAT).tobytes()


def microseconds(time: datetime) -> int:
    """Microseconds since 1970 in UTC."""
    return round(time.timestamp() * _MICRO)


def moment(time_us: int) -> datetime:
    """The time that is `time_us` microseconds after the start of 1970, in UTC."""
    return datetime.fromtimestamp(time_us / _MICRO, UTC)


def similarities_ppm(vectors: bytes, count: int, vector: Sequence[float]) -> list[int]:
    """Cosines of `vector` with `count` vectors of the same length that stand one after the other in `vectors`."""
    import numpy as np

    matrix = np.frombuffer(vectors, dtype=_FLOAT).reshape(count, len(vector))
    # A damaged vector may hold anything; it is like nothing.
    found = np.nan_to_num(matrix @ np.asarray(vector, dtype=_FLOAT), nan=-1.0, posinf=-1.0, neginf=-1.0)
    return np.clip(np.rint(found * _MICRO), -_MICRO, _MICRO).astype(int).tolist()


def _digest(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_DIGEST_BYTES).digest()


def _packed(delta: Delta) -> object:
    if isinstance(delta, TextDelta):
        return delta.text
    return [delta.index, delta.id, delta.name, delta.arguments_json]


def _unpacked(packed: Any) -> Delta:
    return TextDelta(packed) if isinstance(packed, str) else ToolCallDelta(*packed)


def _usage_packed(usage: TokenUsage | None) -> dict[str, int] | None:
    return None if usage is None else {name: getattr(usage, name) for name in TokenUsage.__dataclass_fields__}
