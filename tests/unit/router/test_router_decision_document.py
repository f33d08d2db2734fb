"""The canonical form of a decision: nothing is lost, and every deviation is found."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from router_decisions import DECISION, NOW, decisions

from provider_router.domain.decisions.canonical_json import NotCanonical, canonical_bytes
from provider_router.domain.decisions.decision import Decision
from provider_router.domain.decisions.decision_document import decode_decision, encode_decision

PAYLOAD = encode_decision(DECISION)


@given(decisions)
def test_a_decision_survives_its_document(decision: Decision) -> None:
    payload = encode_decision(decision)
    assert decode_decision(payload) == decision
    assert canonical_bytes(orjson.loads(payload)) == payload


@given(decisions, decisions)
def test_two_decisions_have_one_document_only_when_they_are_equal(one: Decision, other: Decision) -> None:
    assert (encode_decision(one) == encode_decision(other)) == (one == other)


@given(decisions)
def test_parts_that_were_encoded_before_give_the_same_document(decision: Decision) -> None:
    again = replace(decision, rejections=(*decision.rejections,), control=replace(decision.control))
    assert encode_decision(decision) == encode_decision(decision) == encode_decision(again)


@given(st.integers(0, len(PAYLOAD) - 1), st.integers(1, 255))
def test_a_changed_byte_is_another_decision_or_none(place: int, change: int) -> None:
    changed = bytearray(PAYLOAD)
    changed[place] ^= change
    with suppress(NotCanonical):
        assert decode_decision(bytes(changed)) != DECISION


@pytest.mark.parametrize(
    "other",
    [
        json.dumps(json.loads(PAYLOAD)).encode(),
        PAYLOAD + b" ",
        b" " + PAYLOAD,
        PAYLOAD.replace(b'"tier":"balanced"', b'"tier":"balanced","x":1'),
        PAYLOAD.replace(b'"version":2', b'"version":1'),
        PAYLOAD.replace(b'"version":2', b'"version":3'),
        PAYLOAD.replace(b'"version":2', b'"version":2.0'),
        PAYLOAD.replace(b"balanced", b"b\\u0061lanced"),
        PAYLOAD.replace(b'"needs_tools":false', b'"needs_tools":0'),
        PAYLOAD.replace(b'"data_class":1', b'"data_class":true'),
        PAYLOAD.replace(b'"data_class":1', b'"data_class":4'),
        PAYLOAD.replace(b'"tier":"balanced",', b""),
        PAYLOAD.replace(b'"CLEARANCE"', b'"CLEARENCE"'),
        PAYLOAD.replace(b'["eu","us"]', b'["us","eu"]'),
        PAYLOAD.replace(str(NOW.microsecond).encode(), b"9" * 18),
        b"",
        b"[]",
        b"\xff",
        b"[" * 5000,
    ],
)
def test_what_is_not_in_canonical_form_is_refused(other: bytes) -> None:
    assert other != PAYLOAD
    with pytest.raises(NotCanonical):
        decode_decision(other)


def test_the_form_is_as_documented() -> None:
    content = json.loads(PAYLOAD)
    assert set(content) == {
        "choice",
        "control",
        "promise",
        "ranked",
        "registry_digest",
        "rejections",
        "request",
        "rules_digest",
        "state_digest",
        "tier",
        "time_us",
        "version",
    }
    assert content["ranked"][0] == ["one/m", 700, [100] * 7 + [0, 0], 120, 900, 4000]
    assert content["rejections"] == [["three/m", "security", "CLEARANCE", "cleared for public"]]
    assert content["control"]["chain"] == [["one/m", 2, 60000], ["two/m", 1, 60000]]
    assert content["time_us"] == 1795176000123456


def test_a_time_before_1970_survives() -> None:
    early = replace(DECISION, time=NOW.replace(year=1969))
    assert decode_decision(encode_decision(early)) == early
