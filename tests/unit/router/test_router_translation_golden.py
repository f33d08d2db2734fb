"""Answers from one dialect into another: goldens that people have read, and what holds of all of them.

How goldens are made anew and read: `tests/router_translation.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from router_client_facts import Facts, facts_of
from router_translation import (
    DATA,
    DIALECTS,
    PAIRS,
    asked,
    asked_file,
    golden,
    golden_file,
    requests_of,
    told,
    upstream,
)

STREAMS = {provider: [path for path in upstream(provider) if path.suffix == ".sse"] for provider in DIALECTS}
CASES = [
    pytest.param(caller, provider, path, id=f"{caller}-{provider}-{path.name}")
    for caller, provider in PAIRS
    for path in upstream(provider)
]
STREAMED = [case for case in CASES if case.values[2].suffix == ".sse"]
SHORT_BYTES = 600
SUCCESS = {
    "openai_chat": (b"data: [DONE]",),
    "anthropic_messages": (b"event: message_stop",),
    "openai_responses": (b"event: response.completed", b"event: response.incomplete"),
}


@pytest.mark.parametrize(("caller", "provider", "recording"), CASES)
def test_callers_are_told_what_people_have_read(caller: str, provider: str, recording: Path) -> None:
    assert golden(caller, provider, recording) == golden_file(caller, provider, recording).read_text()


@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_providers_are_asked_what_people_have_read(caller: str, provider: str) -> None:
    for request in requests_of(caller):
        assert asked(caller, provider, request) == asked_file(caller, provider, request).read_text()


def test_every_dialect_is_recorded_and_no_golden_is_left_over() -> None:
    made = {golden_file(caller, provider, path) for caller, provider in PAIRS for path in upstream(provider)}
    made |= {asked_file(caller, provider, path) for caller, provider in PAIRS for path in requests_of(caller)}
    assert set((DATA / "golden").rglob("*.txt")) == made
    assert all(len(streams) >= 10 for streams in STREAMS.values())


@pytest.mark.parametrize(("caller", "provider", "recording"), STREAMED)
def test_the_official_types_read_the_same_answer(caller: str, provider: str, recording: Path) -> None:
    said = recording.read_bytes()
    answer = told(caller, provider, [said])
    # A provider may stray from the published form; who is told its very words is told that, too.
    facts = facts_of(caller, answer.wire, strict=caller != provider)
    before = facts_of(provider, said, strict=False)
    assert facts.is_complete == (answer.error is None)
    assert facts.is_failed == (answer.error is not None)
    if answer.error is None:
        assert comparable(facts) == comparable(before)


def comparable(facts: Facts) -> object:
    """What all dialects can tell. Some tell thoughts in paragraphs; one has to tell a count where there is none."""
    usage = facts.usage or (0, 0, 0, 0)
    return facts.words, "".join(facts.thoughts.split()), facts.calls, usage, facts.finish


def has_succeeded(caller: str, wire: bytes) -> bool:
    """Whether a client takes `wire` for a whole answer."""
    return any(ending in wire for ending in SUCCESS[caller])


@pytest.mark.parametrize(("caller", "provider", "recording"), STREAMED)
def test_a_truncated_stream_is_never_told_as_a_whole_one(caller: str, provider: str, recording: Path) -> None:
    said = recording.read_bytes().replace(b"\r\n", b"\n")
    choices = 2 if b'"index":1,"delta"' in said and caller == provider else 1
    whole = told(caller, provider, [said], choices)
    events = said.split(b"\n\n")
    for count in range(len(events)):
        cut = told(caller, provider, [b"\n\n".join(events[:count])], choices)
        if has_succeeded(caller, cut.wire):
            # Only what says nothing more of the answer was cut off, such as its count of tokens.
            assert cut.error is None
            if whole.error is not None and choices == 1:
                continue  # of several answers, though one was asked for: that one is whole
            facts, known = facts_of(caller, cut.wire, strict=False), facts_of(caller, whole.wire, strict=False)
            assert (facts.words, facts.calls, facts.finish) == (known.words, known.calls, known.finish)
        else:
            assert cut.error is not None
            assert facts_of(caller, cut.wire, strict=False).is_failed


@pytest.mark.parametrize(("caller", "provider", "recording"), STREAMED)
def test_bytes_may_come_in_any_two_pieces(caller: str, provider: str, recording: Path) -> None:
    said = recording.read_bytes()
    whole = told(caller, provider, [said])
    same_ending(caller, whole, told(caller, provider, [bytes([byte]) for byte in said]))
    for at in positions(said):
        same_ending(caller, whole, told(caller, provider, [said[:at], said[at:]]))


def positions(said: bytes) -> list[int]:
    """Where to split: everywhere in a short stream; in a long one around line ends and within characters, and now and
    then elsewhere."""
    every = range(1, len(said))
    if len(said) <= SHORT_BYTES:
        return list(every)
    return [at for at in every if at % 97 == 0 or said[at] >= 0x80 or b"\n" in said[at - 1 : at + 1]]


@settings(max_examples=60)
@given(data=st.data())
@pytest.mark.parametrize(("caller", "provider"), PAIRS)
def test_bytes_may_come_in_many_pieces(caller: str, provider: str, data: st.DataObject) -> None:
    said = data.draw(st.sampled_from(STREAMS[provider])).read_bytes()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(said) - 1), max_size=12)))
    pieces = [said[start:end] for start, end in zip([0, *cuts], [*cuts, len(said)], strict=True)]
    same_ending(caller, told(caller, provider, [said]), told(caller, provider, pieces))


def same_ending(caller: str, whole: object, pieces: object) -> None:
    """A whole answer is the same to the byte. Of one that breaks off, more may be told before its end is known."""
    if whole.error is None:
        assert pieces.wire == whole.wire
        return
    assert pieces.error.reason == whole.error.reason
    assert facts_of(caller, pieces.wire, strict=False).is_failed
    assert not has_succeeded(caller, pieces.wire)
