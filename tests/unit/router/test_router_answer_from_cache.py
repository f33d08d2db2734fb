"""The cache in front of an answer source: what it gives, what it keeps, and what it never does."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace

import pytest
from router_cache_fakes import (
    HELLO,
    NOON,
    FakeAnswers,
    FakeLocalEmbedder,
    FakeRuleBook,
    RecordingCacheObserver,
    SetClock,
    asked,
    rule_set,
    turned,
)
from router_fakes import FakeRegistry, service_of, snapshot_of

from provider_router.adapters.response_cache_memory import MemoryResponseCache
from provider_router.domain.cache.cached_answer import CacheSize
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.chat_call import CacheMode, ChatCall
from provider_router.domain.calls.events import (
    Attempt,
    CacheHit,
    ChatEvent,
    Completed,
    Continued,
    Started,
    TextDelta,
    ToolCallDelta,
)
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import DataClass
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.errors import Reason, failure
from provider_router.use_cases.answer_from_cache import AnswerFromCache, CacheLimits, CacheParts
from shared.errors import NexusError, UpstreamDown

FRANCE, ALSO_FRANCE = "What is the capital of France?", "Tell me the capital of France, please."
NEARBY = {FRANCE: turned(0), ALSO_FRANCE: turned(5)}
TOOL_CALLS = (
    Started("one/m", (), demonstration=True, decision_id="d1"),
    TextDelta("I "),
    TextDelta("look."),
    ToolCallDelta(0, "c1", "add", ""),
    ToolCallDelta(1, "c2", "sub", '{"x"'),
    ToolCallDelta(0, "", "", '{"a": 1'),
    ToolCallDelta(0, "", "", ', "b": 2}'),
    ToolCallDelta(1, "", "", ": 3}"),
    TextDelta("Wait."),
    Completed(FinishReason.TOOL_CALLS, TokenUsage(20, 9), 11),
)


class Rig:
    """A cache in memory before a source that counts its calls."""

    def __init__(self, events: tuple[object, ...] = HELLO, limits: CacheLimits | None = None) -> None:
        self.source = FakeAnswers(events)
        self.cache = MemoryResponseCache()
        self.rules = FakeRuleBook()
        self.registry = FakeRegistry(snapshot_of(service_of("one/m"), service_of("two/m")))
        self.embedder = FakeLocalEmbedder(NEARBY)
        self.observer = RecordingCacheObserver()
        self.clock = SetClock()
        self.limits = limits

    def answers(self) -> AnswerFromCache:
        parts = CacheParts(self.cache, self.rules, self.registry, self.embedder, self.observer, self.clock)
        return AnswerFromCache(self.source, parts, self.limits)

    async def ask(self, call: ChatCall | None = None) -> list[ChatEvent]:
        async with aclosing(self.answers().stream(call or asked())) as events:
            return [event async for event in events]

    async def is_kept(self) -> bool:
        return (await self.cache.size()).entries > 0


def hit_of(events: list[ChatEvent]) -> CacheHit | None:
    assert isinstance(events[0], Started)
    return events[0].cache_hit


def meant(text: str = FRANCE, **changes: object) -> ChatCall:
    return asked(text, mode=CacheMode.SEMANTIC, **changes)


async def test_the_very_same_request_is_answered_once() -> None:
    rig = Rig()
    first = await rig.ask()
    rig.clock.pass_s(30)
    second = await rig.ask()

    assert first == list(HELLO)
    assert second == [
        replace(HELLO[0], cache_hit=CacheHit(semantic=False, age_s=30, similarity_ppm=1_000_000)),
        TextDelta("Hello"),
        Completed(FinishReason.STOP, TokenUsage(10, 2), 0),
    ]
    assert len(rig.source.calls) == 1
    assert rig.observer.told == ["missed exact", "found"]
    assert rig.observer.sizes[-1].entries == 1


async def test_nobody_who_does_not_ask_for_it_meets_the_cache() -> None:
    rig = Rig()
    await rig.ask()

    assert await rig.ask(asked(mode=CacheMode.OFF)) == list(HELLO)
    assert len(rig.source.calls) == 2
    off = Rig()
    await off.ask(asked(mode=CacheMode.OFF))
    assert not await off.is_kept()
    assert off.observer.told == []


async def test_a_stream_with_tool_calls_side_by_side_is_replayed_as_it_came() -> None:
    rig = Rig(TOOL_CALLS)
    await rig.ask()
    replayed = await rig.ask()

    assert replayed[1:] == [
        TextDelta("I look."),
        ToolCallDelta(0, "c1", "add", ""),
        ToolCallDelta(1, "c2", "sub", '{"x"'),
        ToolCallDelta(0, "", "", '{"a": 1, "b": 2}'),
        ToolCallDelta(1, "", "", ": 3}"),
        TextDelta("Wait."),
        Completed(FinishReason.TOOL_CALLS, TokenUsage(20, 9), 0),
    ]
    assert replayed[0].demonstration


async def test_attempts_that_failed_then_are_not_told_again() -> None:
    failed = Attempt("two/m", "PROVIDER_ERROR", 0.1)
    rig = Rig((replace(HELLO[0], attempts=(failed,)), *HELLO[1:]))
    await rig.ask()

    assert (await rig.ask())[0].attempts == ()


async def test_an_answer_is_shared_within_the_organisation_and_with_no_other() -> None:
    rig = Rig()
    await rig.ask(meant())

    assert hit_of(await rig.ask(meant(caller=Caller("acme", "bob")))) is not None
    assert hit_of(await rig.ask(meant(FRANCE, caller=Caller("evil", "ann")))) is None
    assert hit_of(await rig.ask(meant(ALSO_FRANCE, caller=Caller("rival", "ann")))) is None


async def test_the_same_meaning_finds_the_answer_with_its_similarity_and_age() -> None:
    rig = Rig()
    await rig.ask(meant())
    rig.clock.pass_s(7)
    hit = hit_of(await rig.ask(meant(ALSO_FRANCE)))

    assert hit is not None
    assert (hit.semantic, hit.age_s) == (True, 7)
    assert hit.similarity_ppm == pytest.approx(996_195, abs=2)
    assert rig.embedder.asked == [FRANCE, ALSO_FRANCE]


async def test_exact_mode_embeds_nothing_and_finds_no_other_words() -> None:
    rig = Rig()
    await rig.ask(meant())

    assert hit_of(await rig.ask(asked(ALSO_FRANCE))) is None
    assert rig.embedder.asked == [FRANCE]


async def test_the_very_same_request_is_found_without_embedding_it() -> None:
    rig = Rig()
    await rig.ask(meant())
    hit = hit_of(await rig.ask(meant()))

    assert hit is not None
    assert not hit.semantic
    assert rig.embedder.asked == [FRANCE]


async def test_a_near_text_with_another_number_is_not_the_same() -> None:
    rig = Rig()
    rig.embedder.vectors = {"Pay 100 euros": turned(0), "Pay 900 euros": turned(0)}
    await rig.ask(meant("Pay 100 euros"))

    assert hit_of(await rig.ask(meant("Pay 900 euros"))) is None


@pytest.mark.parametrize(
    ("degrees", "asked_ppm", "found"),
    [
        (10, 0, False),  # cosine 0.9848; the cache's own limit holds
        (9, 0, True),
        (10, 984_000, True),
        (10, 985_000, False),
        (13, 974_000, True),  # 0.9744
        (15, 1, False),  # 0.9659: callers may not ask for less than the floor
        (14, 1, True),
    ],
)
async def test_the_caller_says_how_similar_is_similar_enough(degrees: float, asked_ppm: int, found: bool) -> None:
    rig = Rig(limits=CacheLimits(min_similarity_ppm=986_000, least_similarity_ppm=970_000))
    rig.embedder.vectors = {FRANCE: turned(0), ALSO_FRANCE: turned(degrees)}
    await rig.ask(meant())

    hit = hit_of(await rig.ask(meant(ALSO_FRANCE, options={"cache_min_similarity_ppm": asked_ppm})))
    assert (hit is not None) == found


async def test_a_semantic_answer_never_asks_for_tools() -> None:
    rig = Rig(TOOL_CALLS)
    await rig.ask(meant())

    assert hit_of(await rig.ask(meant(ALSO_FRANCE))) is None
    assert hit_of(await rig.ask(meant())) is not None


@pytest.mark.parametrize(
    ("max_age_s", "age_s", "found"), [(0, 99, True), (0, 101, False), (60, 61, False), (500, 101, False)]
)
async def test_an_answer_is_no_older_than_the_caller_and_the_cache_allow(
    max_age_s: int, age_s: float, found: bool
) -> None:
    rig = Rig(limits=CacheLimits(max_age_s=100))
    await rig.ask()
    rig.clock.pass_s(age_s)

    assert (hit_of(await rig.ask(asked(options={"cache_max_age_s": max_age_s}))) is not None) == found


@pytest.mark.parametrize("data_class", [DataClass.CONFIDENTIAL, DataClass.RESTRICTED])
async def test_sensitive_requests_are_neither_kept_nor_answered_nor_embedded(data_class: DataClass) -> None:
    rig = Rig()
    call = meant(options={"data_class": data_class})
    await rig.ask(call)
    await rig.ask(call)

    assert len(rig.source.calls) == 2
    assert not await rig.is_kept()
    assert rig.embedder.asked == []
    assert rig.observer.told == ["bypassed", "bypassed"]


async def test_new_rules_ask_the_models_again() -> None:
    rig = Rig()
    await rig.ask()
    rig.rules.rules = rule_set(digest="rules-2")

    assert hit_of(await rig.ask()) is None


async def test_an_answer_of_a_model_that_is_gone_is_not_given() -> None:
    rig = Rig()
    call = asked(options={"model": "one/m"})
    await rig.ask(call)
    rig.registry.snapshot = snapshot_of(service_of("two/m"))

    assert hit_of(await rig.ask(call)) is None


@pytest.mark.parametrize(
    "events",
    [
        (*HELLO[:2], failure(Reason.STREAM_BROKEN, "It broke.")),
        (failure(Reason.ALL_MODELS_FAILED, "None."),),
    ],
)
async def test_a_stream_that_breaks_is_not_kept(events: tuple[object, ...]) -> None:
    rig = Rig(events)
    with pytest.raises(NexusError):
        await rig.ask()

    assert not await rig.is_kept()
    assert rig.source.open_streams == 0


@pytest.mark.parametrize(
    "events",
    [
        (*HELLO[:3], Completed(FinishReason.LENGTH, None, 0)),
        (*HELLO[:3], Completed(FinishReason.CONTENT_FILTER, None, 0)),
        (HELLO[0], HELLO[3]),
        (*HELLO[:2], Continued("two/m", ()), *HELLO[2:]),
        HELLO[:3],
    ],
    ids=["cut off by its limit", "withheld", "empty", "of two models", "without an end"],
)
async def test_what_is_no_complete_answer_of_one_model_is_not_kept(events: tuple[object, ...]) -> None:
    rig = Rig(events)

    assert await rig.ask() == list(events)
    assert not await rig.is_kept()


async def test_an_answer_that_is_too_long_is_given_and_not_kept() -> None:
    rig = Rig(limits=CacheLimits(answer_chars=4))

    assert await rig.ask() == list(HELLO)
    assert not await rig.is_kept()


@pytest.mark.parametrize("taken", [1, 2, 3])
async def test_nothing_is_kept_when_the_consumer_leaves_early(taken: int) -> None:
    rig = Rig()
    async with aclosing(rig.answers().stream(asked())) as events:
        for _ in range(taken):
            await anext(events)

    assert not await rig.is_kept()
    assert rig.source.open_streams == 0


async def test_a_consumer_who_leaves_with_the_last_event_has_had_the_whole_answer() -> None:
    rig = Rig()
    async with aclosing(rig.answers().stream(asked())) as events:
        for _ in HELLO:
            await anext(events)

    assert await rig.is_kept()
    assert rig.source.open_streams == 0


async def test_leaving_a_replay_early_does_no_harm() -> None:
    rig = Rig()
    await rig.ask()
    async with aclosing(rig.answers().stream(asked())) as events:
        await anext(events)

    assert hit_of(await rig.ask()) is not None


class BrokenCache:
    """A store that is down, or slow to write."""

    def __init__(self, error: Exception | None) -> None:
        self.error = error

    async def find(self, lookup):
        if self.error is not None:
            raise self.error

    async def put(self, key, vector, answer) -> CacheSize:
        if self.error is None:
            await asyncio.Event().wait()
        raise self.error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UpstreamDown("STORAGE_FULL", "Full."), ["failed", "missed exact", "failed"]),
        (None, ["missed exact", "failed"]),
    ],
)
async def test_a_cache_that_fails_or_hangs_never_fails_the_call(error: Exception | None, told: list[str]) -> None:
    rig = Rig(limits=CacheLimits(write_timeout_s=0.01))
    rig.cache = BrokenCache(error)

    assert await rig.ask() == list(HELLO)
    assert rig.observer.told == told


async def test_without_an_embedding_model_the_very_same_request_is_still_found() -> None:
    rig = Rig()
    rig.embedder.error = UpstreamDown("PROVIDER_UNREACHABLE", "Down.")
    await rig.ask(meant())

    assert hit_of(await rig.ask(meant())) is not None
    assert hit_of(await rig.ask(meant(ALSO_FRANCE))) is None


async def test_two_that_ask_at_once_are_both_answered_by_the_source() -> None:
    rig = Rig()
    one, other = rig.answers().stream(asked()), rig.answers().stream(asked())
    both = [[event, await anext(other)] async for event in one]

    assert both == [[event, event] for event in HELLO]
    await other.aclose()
    assert (await rig.cache.size()).entries == 1


async def test_the_time_of_an_answer_is_that_of_its_end() -> None:
    rig = Rig()
    await rig.ask()
    rig.clock.time = NOON.replace(hour=11)

    assert hit_of(await rig.ask()).age_s == 0
