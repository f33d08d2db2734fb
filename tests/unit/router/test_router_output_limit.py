"""How many tokens a model may generate."""

from __future__ import annotations

import pytest

from tests.router_fakes import service_of


@pytest.mark.parametrize(
    ("configured", "asked", "limit"),
    [(0, None, 0), (0, 7, 7), (99, None, 99), (99, 0, 99), (99, 7, 7), (99, 1000, 99)],
)
def test_neither_the_caller_nor_the_configuration_is_exceeded(configured: int, asked: int | None, limit: int) -> None:
    assert service_of(max_output_tokens=configured).output_limit(asked) == limit
