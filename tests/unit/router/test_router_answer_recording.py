"""A recorded answer, played back, is the same answer."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from router_cache_fakes import NOON

from provider_router.adapters.cached_answer_bytes import answer_bytes, answer_of
from provider_router.domain.cache.answer_recording import AnswerRecording, replayed
from provider_router.domain.cache.cached_answer import Hit
from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import ChatEvent, Completed, Started, TextDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
DELTAS = st.lists(
    TEXT.map(TextDelta)
    | st.builds(ToolCallDelta, st.integers(0, 3), st.sampled_from(["", "id"]), st.sampled_from(["", "name"]), TEXT),
    min_size=1,
    max_size=30,
)
STARTED = Started("one/m", (), demonstration=False, decision_id="d1")
COMPLETED = Completed(FinishReason.STOP, TokenUsage(3, 2, 1, 1, 1), 9)


def played_back(events: list[ChatEvent], piece: int = 100_000) -> list[ChatEvent]:
    recording = AnswerRecording(piece)
    for event in events[:-1]:
        recording.add(event)
    answer = recording.answer(events[-1], NOON)
    assert answer is not None
    stored = answer_of(answer_bytes(answer))
    assert stored == answer
    return list(replayed(Hit(stored, semantic=False, similarity_ppm=1_000_000, age_s=0)))


def whole(events: list[ChatEvent]):
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    answer = builder.answer()
    return answer.model, answer.message, answer.finish_reason, answer.usage


@given(DELTAS)
def test_the_answer_put_together_is_the_same(deltas: list) -> None:
    events = [STARTED, *deltas, COMPLETED]
    again = played_back(events)

    assert whole(again) == whole(events)
    assert len(again) <= len(events)


@given(DELTAS)
def test_pieces_of_different_kinds_keep_their_order(deltas: list) -> None:
    def turns(events: list[ChatEvent]) -> list[tuple]:
        kinds = [(type(event), getattr(event, "index", None)) for event in events]
        return [kind for place, kind in enumerate(kinds) if place == 0 or kind != kinds[place - 1]]

    events = [STARTED, *deltas, COMPLETED]
    assert turns(played_back(events)) == turns(events)


def test_a_long_answer_comes_back_in_pieces() -> None:
    again = played_back([STARTED, *[TextDelta("word ")] * 2_000, COMPLETED])

    sizes = [len(event.text) for event in again if isinstance(event, TextDelta)]
    assert sum(sizes) == 10_000
    assert max(sizes) <= 2_005
    assert len(sizes) == 5
