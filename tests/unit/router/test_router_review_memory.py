"""What callers write into their requests, and providers into their answers, does not pile up in the router."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime

import pytest
from router_answer_rig import Rig
from router_decision_fakes import FakeRuleBook
from router_fakes import FakeChatModel, service_of, snapshot_of

from provider_router.domain.calls.answer import AnswerBuilder
from provider_router.domain.calls.content import RefusalPart, TextPart, ThinkingPart, joined
from provider_router.domain.calls.events import Started, TextDelta
from provider_router.domain.decisions.route_request import Caller, Comparison, RouteRequest, TraitConstraint
from provider_router.domain.decisions.service_state import SystemState
from provider_router.domain.decisions.world import World
from provider_router.domain.engine.engine import DecisionEngine
from provider_router.servicer.http.openai_responses.request import response_wanted
from provider_router.servicer.http.openai_responses.surface import ResponsesSurface
from shared.clock import SystemClock
from shared.ids import new_id

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def test_long_traits_are_not_remembered_by_the_thousand() -> None:
    engine = DecisionEngine(capacity=1_000)
    world = World(snapshot_of(service_of("one/m")), FakeRuleBook().of("acme"), SystemState({}, ""))
    for number in range(50):
        values = tuple(f"{number}-{index}".ljust(256, "x") for index in range(64))
        traits = tuple(TraitConstraint(f"t{index}", Comparison.IN, values) for index in range(32))
        engine.decide(world, RouteRequest(Caller("acme", "ada"), traits=traits), NOON)
    # About 600 KB each, and a unit of the capacity is about 1 KB.
    assert len(engine._shortlists._kept) <= 2


def test_states_that_were_replaced_are_forgotten() -> None:
    engine = DecisionEngine()
    registry, rules = snapshot_of(service_of("one/m")), FakeRuleBook().of("acme")
    for _ in range(1_000):
        world = World(registry, rules, SystemState({}, ""))
        engine.decide(world, RouteRequest(Caller("acme", "ada")), NOON)
        kept = engine._lineups._kept
        assert len(kept) <= 128
        assert any(lineup.state is world.state for lineup, _ in kept.values())
    assert engine._lineups.weight == sum(weight for _, weight in kept.values())


LETTERS = 20_000
BYTES_A_LETTER = 20


def letters() -> Iterator[TextDelta]:
    """An answer of which each piece is a letter, and a text of its own in memory."""
    return (TextDelta(chr(0x4E00 + number % 997)) for number in range(LETTERS))


async def test_an_answer_of_single_letters_is_not_kept_letter_by_letter() -> None:
    surface = ResponsesSurface(SystemClock(), new_id)
    encoder = surface.stream(response_wanted({"model": "m", "input": "Hi"}))
    encoder.started(Started("one/m", (), demonstration=False, decision_id="d"))
    builder, rig = AnswerBuilder(), Rig({"one/m": FakeChatModel([*letters(), ...])})
    tracemalloc.start()
    for letter in letters():
        encoder.delta(letter)
    written = tracemalloc.get_traced_memory()[0]
    for letter in letters():
        builder.add(letter)
    built = tracemalloc.get_traced_memory()[0] - written
    async with aclosing(rig.stream()) as events:
        for _ in range(LETTERS):
            await anext(events)
        noted = tracemalloc.get_traced_memory()[0] - written - built
        tracemalloc.stop()
    assert max(written, built, noted) < LETTERS * BYTES_A_LETTER, (written, built, noted)


def test_parts_are_joined_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    parts = [
        *[TextPart("a")] * 20_000,
        RefusalPart("b"),
        *[ThinkingPart("c")] * 2,
        ThinkingPart("d", "s"),
        ThinkingPart(),
    ]
    make = TextPart.__init__

    def noted(part: TextPart, text: str, cached: str = "") -> None:
        made.append(len(text))
        make(part, text, cached)

    with monkeypatch.context() as patched:
        patched.setattr(TextPart, "__init__", noted)
        whole = joined(parts)
    # Two by two it would be two hundred megabytes that are copied.
    assert made == [20_000]
    assert whole == (TextPart("a" * 20_000), RefusalPart("b"), ThinkingPart("ccd", "s"), ThinkingPart())
