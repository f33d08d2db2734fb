"""A count that no provider means is refused where it comes in: it must not get as far as the ledger."""

from __future__ import annotations

from datetime import date

import pytest

from provider_router.adapters.anthropic.usage import usage_of as anthropic_usage
from provider_router.adapters.http.json_fields import MalformedAnswerError
from provider_router.adapters.openai.usage import usage_of as openai_usage
from provider_router.adapters.openai_responses.usage import usage_of as responses_usage
from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Price, Rates
from provider_router.domain.money.pricing import cost_micro_usd


@pytest.mark.parametrize("count", [-1, 10**12 + 1, 2**63, 2**64 - 1])
def test_counts_out_of_bounds_are_malformed(count: int) -> None:
    with pytest.raises(MalformedAnswerError):
        openai_usage({"prompt_tokens": count, "completion_tokens": 1, "total_tokens": 1})
    with pytest.raises(MalformedAnswerError):
        responses_usage({"input_tokens": 1, "output_tokens": count})
    with pytest.raises(MalformedAnswerError):
        anthropic_usage({"input_tokens": 1, "output_tokens": count})


def test_the_largest_counts_at_the_largest_rates_fit_into_the_ledger() -> None:
    dearest = 100_000 * 1_000_000
    price = Price(date(2026, 1, 1), Rates(dearest, dearest, dearest, dearest))
    assert cost_micro_usd(price, TokenUsage(4 * 10**12, 3 * 10**12)) < 2**62
