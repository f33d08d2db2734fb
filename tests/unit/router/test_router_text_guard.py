"""Texts whose vectors are neighbours, and that must not be taken for each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_router.domain.cache.text_guard import MOST_CHARS, TextGuard, guard_of


def same(one: str, other: str) -> bool:
    """Whether the guard lets the vectors decide."""
    a, b = guard_of(one), guard_of(other)
    assert a is not None
    assert b is not None
    return a.marks == b.marks and (sorted(a.words) != sorted(b.words) or a.words == b.words)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Convert 100 euros to dollars", "Convert 900 euros to dollars"),
        ("How long is a flight of 1,000 km?", "How long is a flight of 10,00 km?"),
        ("Is -5 larger than 3?", "Is 5 larger than 3?"),
        ("Add two eggs to the cake", "Add three eggs to the cake"),
        ("Explain IPv4 addresses", "Explain IPv6 addresses"),
        ("What is 50% of the price", "What is 50 of the price"),
        ("Should I take aspirin with ibuprofen?", "Should I not take aspirin with ibuprofen?"),
        ("Can dogs eat grapes?", "Can't dogs eat grapes?"),
        ("Was darf ich essen?", "Was darf ich nicht essen?"),
        ("Recipes with nuts", "Recipes without nuts"),
        ("Who is the mayor of Paris?", "Who is the mayor of London?"),
        ("Write to Ann about the invoice", "Write to Bob about the invoice"),
        ("trains from Paris to Rome", "trains from Rome to Paris"),
        ("Is Python faster than Java?", "Is Java faster than Python?"),
        ("does python outrun java", "does java outrun python, please"),
        ("does the dog bite the man", "does the man bite the dog"),
        ('Translate "good morning"', 'Translate "good evening"'),
        ("Translate 'good morning'", "Translate 'good evening'"),
        ("Was heißt \u201eHund\u201c?", "Was heißt \u201eKatze\u201c?"),
        ("What does `a && b` do?", "What does `a || b` do?"),
        ("What does this do?\n```\nx = a\n```", "What does this do?\n```\nx = b\n```"),
        ("a < b is true when?", "a > b is true when?"),
        ("When was the bridge built?", "Where was the bridge built?"),
        ("Who built the bridge?", "Why built the bridge?"),
        ("the cheapest phone", "the best phone"),
        ("How to enable dark mode", "How to disable dark mode"),
        ("Sort the list ascending", "Sort the list descending"),
        ("events before the war", "events after the war"),
        ("die billigsten Hotels", "die teuersten Hotels"),
        ("open monday", "open tuesday"),
        ("Summarize https://a.test/x", "Summarize https://a.test/y"),
        ("mail to ann@a.test", "mail to bob@a.test"),
        ("Read /etc/hosts for me", "Read /etc/passwd for me"),
        ("Explain config.yaml", "Explain config.json"),
        ("What is NATO?", "What is OPEC?"),
    ],
)
def test_what_differs_in_a_telling_word_is_not_the_same(one: str, other: str) -> None:
    assert not same(one, other)
    assert not same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of France?", "what is the capital of France"),
        ("What is the capital of France?", "Tell me the capital of France, please."),
        ("How do I boil an egg?", "How can I boil eggs?"),
        ("How can I reverse a list in Python?", "How do I invert a list in Python?"),
        ("Convert 100 euros to dollars.", "Please change 100 euros into dollars"),
        ("Erkläre mir bitte die Photosynthese", "Kannst du die Photosynthese erklären?"),
    ],
)
def test_other_words_for_the_same_are_left_to_the_vectors(one: str, other: str) -> None:
    assert same(one, other)


def test_a_text_that_the_model_does_not_read_to_its_end_is_never_compared() -> None:
    assert guard_of("a" * MOST_CHARS) is not None
    assert guard_of("a" * (MOST_CHARS + 1)) is None
    assert guard_of("  ") is None


@given(st.text(max_size=300))
def test_every_text_is_read_and_is_like_itself(text: str) -> None:
    guard = guard_of(text)

    assert guard == guard_of(f"  {text}\n")
    assert (guard is None) == (not text.strip())


@given(st.text(max_size=100), st.integers(0, 10**6), st.integers(0, 10**6))
def test_two_numbers_never_pass_for_each_other(text: str, one: int, other: int) -> None:
    a, b = guard_of(f"{text} {one}"), guard_of(f"{text} {other}")

    assert (a == b) == (one == other)


def test_marks_cannot_run_into_each_other() -> None:
    assert isinstance(guard_of("1 2"), TextGuard)
    assert guard_of("1 2").marks != guard_of("12").marks
    assert guard_of('"a" "b"').marks != guard_of('"a b"').marks
