"""The canonical form of the system's state."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from router_decisions import states

from provider_router.domain.decisions.canonical_json import NotCanonical
from provider_router.domain.decisions.service_state import FRESH, Measured, Reward, ServiceState
from provider_router.domain.decisions.state_document import decode_state, encode_state, system_state
from shared.circuit_breaker import Breaker

STATE = {
    "one/m": ServiceState(
        breaker=Breaker.HALF_OPEN,
        measured=Measured(10, 900_000, 500, 900, 40),
        rewards={"code": Reward(3, 2_000_000), "a": Reward(1, 0)},
    )
}
DOCUMENT = encode_state(STATE)


@given(states)
def test_a_state_survives_its_document(services: Mapping[str, ServiceState]) -> None:
    state = system_state(services)
    read = decode_state(encode_state(services))
    assert read.digest == state.digest
    assert all(read.of(name) == state.of(name) for name in (*services, "another"))


@given(states, states)
def test_states_have_one_digest_only_when_they_mean_the_same(
    one: Mapping[str, ServiceState], other: Mapping[str, ServiceState]
) -> None:
    same = all(one.get(name, FRESH) == other.get(name, FRESH) for name in (*one, *other))
    assert (system_state(one).digest == system_state(other).digest) == same


def test_keys_that_were_refused_stand_in_it_and_states_of_before_are_read_on() -> None:
    refused = encode_state({"one/m": ServiceState(configured=False, keys_refused=True)})
    assert b'"keys_refused":true' in refused
    assert decode_state(refused).of("one/m").keys_refused
    missing = encode_state({"one/m": ServiceState(configured=False)})
    assert b"keys_refused" not in missing
    assert not decode_state(missing).of("one/m").keys_refused
    with pytest.raises(NotCanonical):
        decode_state(refused.replace(b'"keys_refused":true', b'"keys_refused":false'))


def test_order_and_what_is_not_known_do_not_matter() -> None:
    backwards = {"two/m": FRESH, **{name: STATE[name] for name in reversed(STATE)}}
    assert encode_state(backwards) == DOCUMENT


@pytest.mark.parametrize(
    "other",
    [
        DOCUMENT.replace(b'"half_open"', b'"ajar"'),
        DOCUMENT.replace(b"[3,2000000]", b"[3]"),
        DOCUMENT.replace(b"[3,2000000]", b"[3,2000000,1]"),
        DOCUMENT.replace(b'"cooling":false', b'"cooling":null'),
        DOCUMENT.replace(b'"calls":10', b'"calls":10,"more":1'),
        DOCUMENT.replace(b'"calls":10,', b""),
        DOCUMENT + b"\n",
    ],
)
def test_what_is_not_in_canonical_form_is_refused(other: bytes) -> None:
    assert other != DOCUMENT
    with pytest.raises(NotCanonical):
        decode_state(other)
