"""Keeps what is needed of a stream to answer with it again, and plays it back."""

from __future__ import annotations

from collections.abc import Generator
from datetime import datetime

from provider_router.domain.cache.cached_answer import CachedAnswer, Delta, Hit
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import (
    CacheHit,
    ChatEvent,
    Completed,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
)

_COMPLETE = (FinishReason.STOP, FinishReason.TOOL_CALLS)
_PIECE_CHARS = 2_000


class AnswerRecording:
    """Collects the events of one stream, joining neighbours that belong together into pieces of some 2,000 characters.

    Args:
        most_chars: Longer answers are not kept.
    """

    def __init__(self, most_chars: int) -> None:
        self._left = most_chars
        self._started: Started | None = None
        self._deltas: list[Delta] = []
        self._pending: list[Delta] = []
        self._pending_chars = 0
        self._usable = True

    def add(self, event: ChatEvent) -> None:
        """Takes the next event but the last."""
        if not self._usable:
            return
        match event:
            case Started():
                self._started = event
            case TextDelta():
                self._take(event, len(event.text))
            case ToolCallDelta():
                self._take(event, len(event.arguments_json) + len(event.id) + len(event.name))
            case ThinkingDelta():
                # Thoughts are not part of the answer.
                pass
            case _:
                # Two models wrote it: it is an answer of neither.
                self._drop()

    def answer(self, completed: Completed, now: datetime) -> CachedAnswer | None:
        """The whole answer; None for one that is empty, not complete, too long, or of two models."""
        self._join()
        started = self._started
        if not self._usable or started is None or not self._deltas or completed.finish_reason not in _COMPLETE:
            return None
        return CachedAnswer(
            model=started.model,
            demonstration=started.demonstration,
            decision_id=started.decision_id,
            deltas=tuple(self._deltas),
            finish_reason=completed.finish_reason,
            usage=completed.usage,
            created=now,
        )

    def _take(self, delta: Delta, chars: int) -> None:
        self._left -= chars
        if self._left < 0:
            self._drop()
            return
        if self._pending and (self._pending_chars >= _PIECE_CHARS or not _continues(self._pending[-1], delta)):
            self._join()
        self._pending.append(delta)
        self._pending_chars += chars

    def _join(self) -> None:
        if self._pending:
            self._deltas.append(_joined(self._pending))
            self._pending, self._pending_chars = [], 0

    def _drop(self) -> None:
        self._usable = False
        self._deltas, self._pending = [], []


def replayed(hit: Hit) -> Generator[ChatEvent, None, None]:
    """Yields the events of an answer that was found: as they came, but nobody was tried and nothing is charged."""
    answer = hit.answer
    yield Started(
        model=answer.model,
        attempts=(),
        demonstration=answer.demonstration,
        decision_id=answer.decision_id,
        cache_hit=CacheHit(hit.semantic, hit.age_s, hit.similarity_ppm),
    )
    yield from answer.deltas
    yield Completed(answer.finish_reason, answer.usage, 0)


def calls_tools(answer: CachedAnswer) -> bool:
    """Whether the answer asks for tools."""
    return answer.finish_reason is FinishReason.TOOL_CALLS or any(
        isinstance(delta, ToolCallDelta) for delta in answer.deltas
    )


def _continues(before: Delta, delta: Delta) -> bool:
    if isinstance(before, TextDelta):
        return isinstance(delta, TextDelta)
    return isinstance(delta, ToolCallDelta) and delta.index == before.index and not delta.id and not delta.name


def _joined(deltas: list[Delta]) -> Delta:
    first = deltas[0]
    if isinstance(first, TextDelta):
        return TextDelta("".join([each.text for each in deltas if isinstance(each, TextDelta)]))
    arguments = "".join([each.arguments_json for each in deltas if isinstance(each, ToolCallDelta)])
    return ToolCallDelta(first.index, first.id, first.name, arguments)
