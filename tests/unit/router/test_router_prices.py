from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Capabilities, Contract, Operation, Price, Privacy, Rates
from provider_router.domain.money.pricing import cost_micro_usd, costs_nothing, upper_bound_micro_usd

DAY = date(2026, 1, 1)
TOKENS = st.integers(0, 10_000_000)
MICRO = st.integers(0, 1_000_000_000)
RATES = st.builds(Rates, MICRO, MICRO, st.none() | MICRO, st.none() | MICRO)
FLAT = st.builds(lambda rates, fee: Price(DAY, rates, per_request=fee), RATES, MICRO)
TIERED = st.builds(
    lambda rates, above, long, fee: Price(DAY, rates, above, long, fee), RATES, st.integers(1, 10_000_000), RATES, MICRO
)
PRICES = FLAT | TIERED


@st.composite
def usages(draw: st.DrawFn, most_in: int = 10_000_000, most_out: int = 10_000_000) -> TokenUsage:
    inputs, outputs = draw(st.integers(0, most_in)), draw(st.integers(0, most_out))
    cached = draw(st.integers(0, inputs))
    written = draw(st.integers(0, inputs - cached))
    return TokenUsage(inputs, outputs, cached, draw(st.integers(0, outputs)), written)


def flat(*rates: int | None, fee: int = 0) -> Price:
    return Price(DAY, Rates(*rates), per_request=fee)


LONG = Price(DAY, Rates(1_000_000, 2_000_000, 100_000), 1000, Rates(2_000_000, 3_000_000, 200_000))


@pytest.mark.parametrize(
    ("price", "usage", "cost"),
    [
        (None, TokenUsage(1000, 1000), 0),
        (flat(), TokenUsage(1000, 1000), 0),
        (flat(150_000, 600_000), TokenUsage(1_000_000, 0), 150_000),
        (flat(150_000, 600_000), TokenUsage(1000, 500), 450),
        # Half a micro-dollar rounds up, just below it down.
        (flat(500_000, 0), TokenUsage(1, 0), 1),
        (flat(499_999, 0), TokenUsage(1, 0), 0),
        # Rounded once: 0.4 + 0.4 is 0.8, so 1; rounding each part would give 0.
        (flat(400_000, 400_000), TokenUsage(1, 1), 1),
        (flat(1_000_000, 0, 100_000), TokenUsage(100, 0, cached_input_tokens=60), 46),
        (flat(1_000_000, 0, None), TokenUsage(100, 0, cached_input_tokens=60), 100),
        (flat(1_000_000, 0, 0), TokenUsage(100, 0, cached_input_tokens=60), 40),
        # 30 plain, 60 read at a tenth, 10 written at five quarters.
        (flat(1_000_000, 0, 100_000, 1_250_000), TokenUsage(100, 0, 60, cache_write_input_tokens=10), 49),
        (flat(1_000_000, 0, 100_000), TokenUsage(100, 0, 60, cache_write_input_tokens=10), 46),
        # Reasoning is part of the output and is not charged twice.
        (flat(0, 1_000_000), TokenUsage(0, 100, reasoning_tokens=90), 100),
        (flat(1_000_000, 0, fee=5000), TokenUsage(7, 0), 5007),
        # The threshold itself is short, one more puts the whole call on the long rates, output included.
        (LONG, TokenUsage(1000, 100), 1200),
        (LONG, TokenUsage(1001, 100), 2302),
        # Cached tokens count for the threshold.
        (LONG, TokenUsage(1001, 100, cached_input_tokens=1001), 500),
        # More from and to the cache than there is prompt: the prompt is the limit.
        (flat(1_000_000, 0, 100_000, 2_000_000), TokenUsage(100, 0, 80, cache_write_input_tokens=50), 48),
    ],
)
def test_cost(price: Price | None, usage: TokenUsage, cost: int) -> None:
    assert cost_micro_usd(price, usage) == cost


@given(price=PRICES, usage=usages())
def test_cost_is_the_exact_sum_rounded_half_up_once(price: Price, usage: TokenUsage) -> None:
    long = price.long_context_rates is not None and usage.input_tokens > price.long_context_tokens
    rates = price.long_context_rates if long else price.rates
    cached_rate = rates.input if rates.cached_input is None else rates.cached_input
    write_rate = rates.input if rates.cache_write is None else rates.cache_write
    exact = (
        Decimal(usage.plain_input_tokens) * rates.input
        + Decimal(usage.cached_input_tokens) * cached_rate
        + Decimal(usage.cache_write_input_tokens) * write_rate
        + Decimal(usage.output_tokens) * rates.output
    ) / 1_000_000
    assert cost_micro_usd(price, usage) == int(exact.quantize(Decimal(1), ROUND_HALF_UP)) + price.per_request


@given(price=PRICES, usage=usages())
def test_cost_is_never_negative_and_the_kinds_of_input_add_up(price: Price, usage: TokenUsage) -> None:
    assert cost_micro_usd(price, usage) >= price.per_request >= 0
    kinds = usage.plain_input_tokens + usage.cached_input_tokens + usage.cache_write_input_tokens
    assert kinds == usage.input_tokens
    assert usage.plain_input_tokens >= 0


@given(price=FLAT, usage=usages(), more=usages())
def test_more_tokens_never_cost_less(price: Price, usage: TokenUsage, more: TokenUsage) -> None:
    assert cost_micro_usd(price, added(usage, more)) >= cost_micro_usd(price, usage)


@given(price=FLAT, first=usages(), second=usages())
def test_costs_add_up_but_for_one_rounding(price: Price, first: TokenUsage, second: TokenUsage) -> None:
    free = replace(price, per_request=0)
    apart = cost_micro_usd(free, first) + cost_micro_usd(free, second)
    assert abs(cost_micro_usd(free, added(first, second)) - apart) <= 1


@given(price=FLAT, usage=usages(), reasoning=TOKENS)
def test_reasoning_changes_nothing(price: Price, usage: TokenUsage, reasoning: int) -> None:
    changed = replace(usage, reasoning_tokens=min(reasoning, usage.output_tokens))
    assert cost_micro_usd(price, changed) == cost_micro_usd(price, usage)


@given(price=PRICES, most_in=TOKENS, most_out=TOKENS, data=st.data())
def test_no_usage_within_the_bounds_costs_more_than_was_reserved(
    price: Price, most_in: int, most_out: int, data: st.DataObject
) -> None:
    usage = data.draw(usages(most_in, most_out))
    assert cost_micro_usd(price, usage) <= upper_bound_micro_usd(price, most_in, most_out)


@given(price=PRICES, most_in=st.integers(0, 200), most_out=st.integers(0, 200))
def test_the_bound_is_reached(price: Price, most_in: int, most_out: int) -> None:
    all_plain = TokenUsage(most_in, most_out)
    candidates = [
        all_plain,
        replace(all_plain, cached_input_tokens=most_in),
        replace(all_plain, cache_write_input_tokens=most_in),
    ]
    dearest = max(cost_micro_usd(price, usage) for usage in candidates)
    tight = price.long_context_rates is None or most_in <= price.long_context_tokens
    assert not tight or dearest == upper_bound_micro_usd(price, most_in, most_out)


@given(PRICES)
@example(flat())
@example(flat(0, 0, 0, 0))
@example(flat(0, 0, 1))
@example(flat(fee=1))
@example(Price(DAY, Rates(), 1000, Rates(0, 1)))
def test_what_costs_nothing_costs_nothing_whatever_is_asked(price: Price) -> None:
    assert costs_nothing(price) is (upper_bound_micro_usd(price, 10**9, 10**9) == 0)


def test_without_a_price_nothing_is_reserved() -> None:
    assert upper_bound_micro_usd(None, 1000, 1000) == 0


def test_the_fee_is_reserved() -> None:
    assert upper_bound_micro_usd(flat(0, 0, fee=7), 0, 0) == 7


def test_a_cheaper_long_context_does_not_lower_the_bound() -> None:
    price = Price(DAY, Rates(2_000_000, 0), 100, Rates(1_000_000, 0))
    assert upper_bound_micro_usd(price, 101, 0) >= cost_micro_usd(price, TokenUsage(100, 0)) == 200


def contract_with(*prices: Price) -> Contract:
    return Contract("p/m", Capabilities(frozenset({Operation.CHAT})), prices=prices)


def test_the_price_in_force_is_the_newest_that_is_not_of_a_later_day() -> None:
    old, new = flat(1), Price(date(2026, 3, 1), Rates(2))
    contract = contract_with(old, new)
    assert contract.price_on(date(2025, 12, 31)) is None
    assert contract.price_on(DAY) is old
    assert contract.price_on(date(2026, 2, 28)) is old
    assert contract.price_on(date(2026, 3, 1)) is new
    assert contract.price_on(date(2030, 1, 1)) is new


def test_the_price_version_names_service_and_day() -> None:
    contract = contract_with(flat(1))
    assert contract.price_version(date(2026, 5, 5)) == "p/m@2026-01-01"
    assert contract.price_version(date(2025, 5, 5)) == "unknown"
    here = replace(contract, privacy=Privacy(on_premises=True))
    assert here.price_version(date(2025, 5, 5)) == ""


def added(first: TokenUsage, second: TokenUsage) -> TokenUsage:
    return TokenUsage(
        first.input_tokens + second.input_tokens,
        first.output_tokens + second.output_tokens,
        first.cached_input_tokens + second.cached_input_tokens,
        first.reasoning_tokens + second.reasoning_tokens,
        first.cache_write_input_tokens + second.cache_write_input_tokens,
    )
