"""What every cache of answers does."""

from __future__ import annotations

from datetime import timedelta

import pytest
from router_cache_fakes import NOON, answer_at, key_of, lookup_of, turned

from provider_router.domain.cache.cached_answer import CacheKey, CacheSize
from provider_router.domain.calls.chat import FinishReason
from provider_router.domain.calls.events import TextDelta, ToolCallDelta
from provider_router.domain.calls.usage import TokenUsage


async def test_an_answer_comes_back_as_it_was_kept(make_cache) -> None:
    cache = await make_cache()
    answer = answer_at(
        demonstration=True,
        deltas=(
            TextDelta("Grüße, 世界 \u0000 \U0001f600"),
            ToolCallDelta(0, "c1", "add", '{"a": '),
            ToolCallDelta(1, "c2", "sub", "{}"),
            ToolCallDelta(0, "", "", "1}"),
        ),
        finish_reason=FinishReason.TOOL_CALLS,
        usage=TokenUsage(10, 5, 4, 3, 2),
    )
    await cache.put(key_of(), (), answer)

    hit = await cache.find(lookup_of(key_of(), later_s=90))

    assert (hit.answer, hit.semantic, hit.similarity_ppm, hit.age_s) == (answer, False, 1_000_000, 90)


async def test_an_answer_without_usage_comes_back(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of(), (), answer_at(usage=None))

    assert (await cache.find(lookup_of(key_of()))).answer.usage is None


async def test_another_request_finds_nothing(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of("abc"), (), answer_at())

    for other in ("ab", "abcd", "", "ABC"):
        assert await cache.find(lookup_of(key_of(other))) is None


async def test_another_organisation_finds_nothing_exactly_or_by_meaning(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of("a", "acme"), turned(0), answer_at())

    for stranger in ("evil", "acm", "acme2", "", "ACME"):
        assert await cache.find(lookup_of(key_of("a", stranger), turned(0))) is None


async def test_a_nearer_answer_of_another_organisation_does_not_hide_ones_own(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of("a", "acme"), turned(10), answer_at(decision_id="own"))
    await cache.put(key_of("b", "evil"), turned(0), answer_at(decision_id="foreign"))

    assert (await cache.find(lookup_of(key_of("c", "acme"), turned(0)))).answer.decision_id == "own"


async def test_the_newer_answer_takes_the_place_of_the_one_before(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of(), turned(0), answer_at(decision_id="d1"))
    size = await cache.put(key_of(), turned(0), answer_at(decision_id="d2"))

    assert (await cache.find(lookup_of(key_of()))).answer.decision_id == "d2"
    assert size.entries == 1
    assert size == await cache.size()


@pytest.mark.parametrize(("later_s", "found"), [(59.9, True), (60, True), (60.1, False)])
async def test_an_answer_is_as_old_as_the_caller_allows(make_cache, later_s: float, found: bool) -> None:
    cache = await make_cache()
    await cache.put(key_of(), turned(0), answer_at())

    exact = await cache.find(lookup_of(key_of(), later_s=later_s, max_age_s=60.0))
    semantic = await cache.find(lookup_of(key_of("b"), turned(0), later_s=later_s, max_age_s=60.0))

    assert (exact is not None, semantic is not None) == (found, found)


async def test_the_most_similar_answer_is_found_with_its_similarity(make_cache) -> None:
    cache = await make_cache()
    for degrees in (30, 10, 12):
        await cache.put(key_of(f"k{degrees}"), turned(degrees), answer_at(decision_id=f"d{degrees}"))

    hit = await cache.find(lookup_of(key_of("new"), turned(0), later_s=5))

    assert (hit.answer.decision_id, hit.semantic, hit.age_s) == ("d10", True, 5)
    assert hit.similarity_ppm == pytest.approx(984_808, abs=2)


@pytest.mark.parametrize(("least", "found"), [(984_700, True), (984_900, False)])
async def test_a_less_similar_answer_is_not_found(make_cache, least: int, found: bool) -> None:
    cache = await make_cache()
    await cache.put(key_of("a"), turned(10), answer_at())

    hit = await cache.find(lookup_of(key_of("b"), turned(0), min_similarity_ppm=least))

    assert (hit is not None) == found


async def test_the_same_vector_is_no_more_than_the_very_same(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of("a"), turned(33), answer_at())

    assert (await cache.find(lookup_of(key_of("b"), turned(33)))).similarity_ppm == 1_000_000


@pytest.mark.parametrize(
    "other",
    [
        key_of("b", family="g"),
        key_of("b", family=""),
        key_of("b", bag="bag a", sequence="seq b"),
    ],
    ids=["another family", "no family", "the same words in another order"],
)
async def test_requests_that_cannot_mean_the_same_find_nothing(make_cache, other: CacheKey) -> None:
    cache = await make_cache()
    await cache.put(key_of("a"), turned(0), answer_at())

    assert await cache.find(lookup_of(other, turned(0))) is None


async def test_the_same_words_in_the_same_order_are_found(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of("a"), turned(0), answer_at())

    assert await cache.find(lookup_of(key_of("b", bag="bag a", sequence="seq a"), turned(0))) is not None


async def test_an_answer_without_vector_or_family_is_found_exactly_only(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of("a"), (), answer_at())
    await cache.put(CacheKey("acme", "b"), turned(0), answer_at())

    assert await cache.find(lookup_of(key_of("c"), turned(0))) is None
    assert await cache.find(lookup_of(CacheKey("acme", "c"), turned(0))) is None
    assert await cache.find(lookup_of(CacheKey("acme", "b"))) is not None


async def test_vectors_of_another_length_are_not_compared(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of("a"), (1.0, 0.0, 0.0), answer_at())

    assert await cache.find(lookup_of(key_of("b"), (1.0, 0.0))) is None


async def test_without_a_vector_meaning_finds_nothing(make_cache) -> None:
    cache = await make_cache()
    await cache.put(key_of("a"), turned(0), answer_at())

    assert await cache.find(lookup_of(key_of("b"))) is None


async def test_the_number_of_answers_is_bounded_and_the_oldest_used_goes_first(make_cache) -> None:
    cache = await make_cache(entries=3)
    for second, name in enumerate("abc"):
        await cache.put(key_of(name), (), answer_at(NOON + timedelta(seconds=second)))
    assert await cache.find(lookup_of(key_of("a"), later_s=10)) is not None

    size = await cache.put(key_of("d"), (), answer_at(NOON + timedelta(seconds=20)))

    left = [name for name in "abcd" if await cache.find(lookup_of(key_of(name), later_s=30))]
    assert (left, size.entries) == (["a", "c", "d"], 3)


async def test_bytes_are_bounded_and_the_largest_organisation_gives_way(make_cache) -> None:
    cache = await make_cache(bytes=20_000)
    long = (TextDelta("x" * 5_000),)
    await cache.put(key_of("small", "modest"), (), answer_at(deltas=(TextDelta("y"),)))
    for second, name in enumerate("abcdef"):
        size = await cache.put(key_of(name, "greedy"), (), answer_at(NOON + timedelta(seconds=second), deltas=long))
        assert size.bytes <= 20_000

    left = [name for name in "abcdef" if await cache.find(lookup_of(key_of(name, "greedy"), later_s=9))]
    assert left == ["d", "e", "f"]
    assert await cache.find(lookup_of(key_of("small", "modest"), later_s=9)) is not None


async def test_an_answer_that_is_too_large_is_not_kept(make_cache) -> None:
    cache = await make_cache(entry_bytes=1_000)

    size = await cache.put(key_of(), (), answer_at(deltas=(TextDelta("x" * 1_000),)))

    assert size == CacheSize(0, 0)
    assert await cache.find(lookup_of(key_of())) is None


async def test_only_the_newest_of_a_family_are_compared(make_cache) -> None:
    cache = await make_cache(compared=2)
    for second, degrees in enumerate((0, 40, 50)):
        await cache.put(key_of(f"k{degrees}"), turned(degrees), answer_at(NOON + timedelta(seconds=second)))

    assert await cache.find(lookup_of(key_of("new"), turned(0), later_s=9)) is None
    assert await cache.find(lookup_of(key_of("new"), turned(50), later_s=9)) is not None


async def test_invalidating_removes_by_the_start_of_the_model_letter_by_letter(make_cache) -> None:
    cache = await make_cache()
    for model in ("openai/gpt", "openai/gpt-mini", "OpenAI/gpt", "open_i/x", "anthropic/c"):
        await cache.put(key_of(model), turned(0), answer_at(model=model))
    await cache.put(key_of("openai/gpt", "other"), (), answer_at(model="openai/gpt"))

    assert await cache.invalidate("acme", model_prefix="open_i/") == 1
    assert await cache.invalidate("acme", model_prefix="openai/%") == 0
    assert await cache.invalidate("acme", model_prefix="openai/") == 2
    assert await cache.find(lookup_of(key_of("openai/gpt"))) is None
    assert await cache.find(lookup_of(key_of("OpenAI/gpt"))) is not None
    assert await cache.find(lookup_of(key_of("openai/gpt", "other"))) is not None
    assert (await cache.size()).entries == 3


async def test_invalidating_removes_by_age(make_cache) -> None:
    cache = await make_cache()
    for second in (0, 10, 20):
        await cache.put(key_of(f"k{second}"), (), answer_at(NOON + timedelta(seconds=second)))

    assert await cache.invalidate("acme", created_before=NOON + timedelta(seconds=10)) == 1
    assert await cache.invalidate("acme", created_before=NOON + timedelta(seconds=10)) == 0
    assert await cache.find(lookup_of(key_of("k10"), later_s=30)) is not None


async def test_invalidating_removes_all_of_one_organisation(make_cache) -> None:
    cache = await make_cache()
    for name in "abc":
        await cache.put(key_of(name), turned(0), answer_at())
    await cache.put(key_of("a", "other"), (), answer_at())

    assert await cache.invalidate("acme") == 3
    assert await cache.invalidate("nobody") == 0
    assert (await cache.size()).entries == 1
    assert await cache.find(lookup_of(key_of("z"), turned(0))) is None


async def test_the_size_counts_what_is_kept(make_cache) -> None:
    cache = await make_cache()
    assert await cache.size() == CacheSize(0, 0)

    size = await cache.put(key_of(), turned(0), answer_at(deltas=(TextDelta("x" * 700),)))

    assert size.entries == 1
    assert 700 < size.bytes < 1_500
    await cache.invalidate("acme")
    assert await cache.size() == CacheSize(0, 0)
