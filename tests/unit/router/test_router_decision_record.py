"""The hash of a record covers every field of it, in one way only."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord, chained, hash_of

RECORD = chained("id-1", "org-a", 1_795_176_000_000_000, b'{"a":1}', ChainLink(6, "ab" * 32))
texts = st.text(max_size=8)
records = st.builds(
    DecisionRecord, texts, texts, st.integers(0, 2**40), st.integers(-(2**40), 2**40), texts, texts, st.binary()
)


def test_a_record_follows_on_its_link() -> None:
    assert (RECORD.sequence, RECORD.previous_hash) == (7, "ab" * 32)
    assert hash_of(RECORD) == RECORD.record_hash
    assert chained("id", "org", 0, b"", ChainLink()).previous_hash == ""


def test_the_framing_is_as_documented() -> None:
    # Written out by hand, so that a change of the framing cannot pass unseen.
    parts = [b"id-1", b"org-a", b"7", b"1795176000000000", b"ab" * 32, b'{"a":1}']
    framed = b"nexus decision record 1" + b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    assert hashlib.sha256(framed).hexdigest() == RECORD.record_hash


@given(records, records)
def test_records_have_one_hash_only_when_everything_else_is_equal(one: DecisionRecord, other: DecisionRecord) -> None:
    same = replace(one, record_hash="") == replace(other, record_hash="")
    assert (hash_of(one) == hash_of(other)) == same


@pytest.mark.parametrize("name", [field.name for field in fields(DecisionRecord) if field.name != "record_hash"])
def test_every_field_counts(name: str) -> None:
    value = getattr(RECORD, name)
    changed = replace(
        RECORD,
        **{name: value + (1 if isinstance(value, int) else type(value)(b"x" if isinstance(value, bytes) else "x"))},
    )
    assert hash_of(changed) != RECORD.record_hash


@given(st.lists(st.sampled_from(["", "a", "b", "ab"]), min_size=3, max_size=3))
def test_bytes_cannot_move_from_one_field_to_the_next(parts: list[str]) -> None:
    link = ChainLink(0, parts[2])
    hashed = chained(parts[0], parts[1], 0, b"", link).record_hash
    for other in (["", "".join(parts[:2]), parts[2]], ["".join(parts[:2]), "", parts[2]]):
        if other != parts:
            assert chained(other[0], other[1], 0, b"", link).record_hash != hashed
