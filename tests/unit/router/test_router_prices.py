from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provider_router.domain.usage import Prices, TokenUsage

TOKENS = st.integers(0, 10_000_000)
MICRO = st.integers(0, 1_000_000_000)


@pytest.mark.parametrize(
    ("prices", "usage", "cost"),
    [
        (Prices(), TokenUsage(1000, 1000), 0),
        (Prices(150_000, 600_000), TokenUsage(1_000_000, 0), 150_000),
        (Prices(150_000, 600_000), TokenUsage(1000, 500), 450),
        # Half a micro-dollar rounds up, just below it down.
        (Prices(500_000, 0), TokenUsage(1, 0), 1),
        (Prices(499_999, 0), TokenUsage(1, 0), 0),
        # Rounded once: 0.4 + 0.4 is 0.8, so 1; rounding each part would give 0.
        (Prices(400_000, 400_000), TokenUsage(1, 1), 1),
        (Prices(1_000_000, 0, 100_000), TokenUsage(100, 0, cached_input_tokens=60), 46),
        (Prices(1_000_000, 0, None), TokenUsage(100, 0, cached_input_tokens=60), 100),
        (Prices(1_000_000, 0, 0), TokenUsage(100, 0, cached_input_tokens=60), 40),
        # Reasoning is part of the output and is not charged twice.
        (Prices(0, 1_000_000), TokenUsage(0, 100, reasoning_tokens=90), 100),
    ],
)
def test_cost(prices: Prices, usage: TokenUsage, cost: int) -> None:
    assert prices.cost_micro_usd(usage) == cost


@given(inputs=TOKENS, outputs=TOKENS, cached=TOKENS, prices=st.builds(Prices, MICRO, MICRO, st.none() | MICRO))
def test_cost_is_the_exact_sum_rounded_half_up_once(inputs: int, outputs: int, cached: int, prices: Prices) -> None:
    cached = min(cached, inputs)
    cached_price = prices.input_micro_usd if prices.cached_input_micro_usd is None else prices.cached_input_micro_usd
    exact = Decimal(
        (inputs - cached) * prices.input_micro_usd + cached * cached_price + outputs * prices.output_micro_usd
    ) / Decimal(1_000_000)
    expected = int(exact.quantize(Decimal(1), rounding=ROUND_HALF_UP))
    assert prices.cost_micro_usd(TokenUsage(inputs, outputs, cached)) == expected
