"""What tokens cost: exact, in whole millionths of a US dollar, rounded once.

A rate is in millionths of a dollar per million tokens, so tokens times rate is in 10^-12 dollars. These are added up
as integers, and the sum of a call is rounded half up to 10^-6 dollars. The fee for a call is whole millionths already.
"""

from __future__ import annotations

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Price, Rates

_TOKENS_PER_RATE = 1_000_000


def cost_micro_usd(price: Price | None, usage: TokenUsage) -> int:
    """What a call that the provider answered costs, in millionths of a US dollar; 0 without a price.

    Never negative, and never less for more tokens of any kind at one set of rates. A prompt above the price's
    `long_context_tokens` puts the whole call, output included, on the rates of long contexts.
    """
    if price is None:
        return 0
    rates = _rates(price, usage.input_tokens)
    # More tokens from and to the cache than in the prompt would be a provider's mistake: the prompt is the limit.
    cached = min(usage.cached_input_tokens, usage.input_tokens)
    written = min(usage.cache_write_input_tokens, usage.input_tokens - cached)
    total = (
        (usage.input_tokens - cached - written) * rates.input
        + cached * _or_input(rates.cached_input, rates)
        + written * _or_input(rates.cache_write, rates)
        + usage.output_tokens * rates.output
    )
    return _rounded(total) + price.per_request


def costs_nothing(price: Price) -> bool:
    """Whether no call can cost anything."""
    rates = (price.rates, price.long_context_rates or price.rates)
    return not price.per_request and not any(each.output or _dearest_input(each) for each in rates)


def upper_bound_micro_usd(price: Price | None, input_tokens: int, max_output_tokens: int) -> int:
    """The most that a call can cost with at most so many tokens in and out; what has to be reserved for it.

    It is at least `cost_micro_usd` of every usage within these bounds: each token of the prompt is taken at the
    dearest rate of its kinds, and where the prompt may fall on either side of the long context's threshold, the
    dearer side counts. Every term grows with its tokens, and rounding keeps the order.
    """
    if price is None:
        return 0
    most = _most(price.rates, input_tokens, max_output_tokens)
    dearer = price.long_context_rates
    if dearer is not None and input_tokens > price.long_context_tokens:
        most = max(most, _most(dearer, input_tokens, max_output_tokens))
    return _rounded(most) + price.per_request


def _rates(price: Price, input_tokens: int) -> Rates:
    if price.long_context_rates is not None and input_tokens > price.long_context_tokens:
        return price.long_context_rates
    return price.rates


def _most(rates: Rates, input_tokens: int, output_tokens: int) -> int:
    return input_tokens * _dearest_input(rates) + output_tokens * rates.output


def _dearest_input(rates: Rates) -> int:
    return max(rates.input, _or_input(rates.cached_input, rates), _or_input(rates.cache_write, rates))


def _or_input(rate: int | None, rates: Rates) -> int:
    return rates.input if rate is None else rate


def _rounded(total: int) -> int:
    return (total + _TOKENS_PER_RATE // 2) // _TOKENS_PER_RATE
