"""Mesh tokens, permissions and ids."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.mesh_token import LIFETIME_S, MeshTokens
from shared.auth.principal import Principal, service_principal
from shared.errors import Unauthenticated
from shared.ids import new_id
from shared.testing.fakes import FakeClock

KEY = b"k" * 32
PRINCIPAL = Principal("org-a", "ann", frozenset({"owner"}), frozenset({"*"}), "key-1")
words = st.text(st.characters(categories=("L", "N")), min_size=1, max_size=20)


@given(words, words, st.frozensets(words), st.frozensets(words), words | st.just(""))
def test_a_token_carries_the_principal(
    org: str, user: str, roles: frozenset[str], permissions: frozenset[str], key_id: str
) -> None:
    tokens = MeshTokens(KEY, FakeClock())
    who = Principal(org, user, roles, permissions, key_id)
    assert tokens.verify(tokens.mint(who, "test")) == who


def test_a_token_expires() -> None:
    clock = FakeClock()
    tokens = MeshTokens(KEY, clock)
    token = tokens.mint(service_principal("x"), "test")
    clock.advance(LIFETIME_S)
    tokens.verify(token)
    clock.advance(10)
    with pytest.raises(Unauthenticated, match="TOKEN_EXPIRED"):
        tokens.verify(token)


@given(st.integers(min_value=0, max_value=200), st.integers(min_value=1, max_value=255))
def test_a_changed_token_is_refused(position: int, change: int) -> None:
    tokens = MeshTokens(KEY, FakeClock())
    who = service_principal("x")
    raw = bytearray(tokens.mint(who, "test").encode())
    raw[position % len(raw)] ^= change
    try:
        changed = tokens.verify(raw.decode("latin-1"))
    except Unauthenticated:
        return
    # base64url ignores the spare bits of the last character: such a token says the same thing.
    assert changed == who


@pytest.mark.parametrize(
    ("held", "asked", "allowed"),
    [
        ("runs.read", "runs.read", True),
        ("runs.*", "runs.cancel", True),
        ("*", "anything.at_all", True),
        ("runs.read", "runs.cancel", False),
        ("run.*", "runs.read", False),
        ("runs.*", "runsx.read", False),
    ],
)
def test_permissions_match_exactly_or_by_resource(held: str, asked: str, allowed: bool) -> None:
    assert Principal("o", "u", frozenset(), frozenset({held})).may(asked) is allowed


def test_ids_sort_by_time() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 1000


def test_a_token_is_used_again_for_a_third_of_its_life() -> None:
    clock = FakeClock()
    tokens = MeshTokens(KEY, clock)
    first = tokens.mint(PRINCIPAL, "one")
    clock.advance(LIFETIME_S / 3 - 1)
    assert tokens.mint(PRINCIPAL, "one") == first
    assert tokens.mint(PRINCIPAL, "two") != first
    assert tokens.mint(replace(PRINCIPAL, permissions=frozenset()), "one") != first
    clock.advance(1)
    second = tokens.mint(PRINCIPAL, "one")
    assert second != first
    assert tokens.verify(second) == PRINCIPAL


def test_a_token_that_was_verified_expires_all_the_same() -> None:
    clock = FakeClock()
    tokens = MeshTokens(KEY, clock)
    token = tokens.mint(PRINCIPAL, "one")
    assert tokens.verify(token) == tokens.verify(token) == PRINCIPAL
    clock.advance(LIFETIME_S + 6)
    with pytest.raises(Unauthenticated, match="TOKEN_EXPIRED"):
        tokens.verify(token)


def test_many_callers_do_not_fill_the_memory() -> None:
    tokens = MeshTokens(KEY, FakeClock())
    for number in range(3000):
        tokens.verify(tokens.mint(replace(PRINCIPAL, user_id=f"user-{number}"), "one"))
    assert max(len(tokens._minted), len(tokens._verified)) <= 1024
