"""Reads `usage` of the Responses dialect.

OpenAI counts within `input_tokens` what was read from and written to its cache, as `cached_tokens` and
`cache_write_tokens`. Perplexity says `cache_read_input_tokens` and `cache_creation_input_tokens`, and besides what the
call costs: it charges for searches, which no count of tokens tells.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from provider_router.adapters.http.json_fields import as_count, as_object
from provider_router.domain.calls.usage import TokenUsage

_MICRO = 1_000_000
_BILL_CAP_USD = 10_000


def usage_of(value: Any) -> TokenUsage | None:
    """Reads the `usage` of a response; None where there is none, or either side of it is missing.

    Raises:
        MalformedAnswerError: It is no object, or a count is no whole number of at least 0.
    """
    usage = as_object(value)
    if usage.get("input_tokens") is None or usage.get("output_tokens") is None:
        return None
    input_tokens, output_tokens = as_count(usage["input_tokens"]), as_count(usage["output_tokens"])
    details = as_object(usage.get("input_tokens_details"))
    cached = as_count(details.get("cached_tokens")) or as_count(details.get("cache_read_input_tokens"))
    written = as_count(details.get("cache_write_tokens")) or as_count(details.get("cache_creation_input_tokens"))
    if as_count(usage.get("total_tokens")) == input_tokens + output_tokens + cached + written:
        # They stand beside the prompt's count, not in it; without a cache in play that is the same.
        input_tokens += cached + written
    cached = min(cached, input_tokens)
    reasoning = as_count(as_object(usage.get("output_tokens_details")).get("reasoning_tokens"))
    return TokenUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        reasoning_tokens=min(reasoning, output_tokens),
        cache_write_input_tokens=min(written, input_tokens - cached),
    )


def billed_micro_usd(value: Any) -> int | None:
    """What the provider itself charges for the response, in millionths of a US dollar; None where it does not say.

    A bill that is no amount of US dollars, negative, or above 10,000 is not believed.

    Raises:
        MalformedAnswerError: `usage` is no object.
    """
    cost = as_object(value).get("cost")
    if not isinstance(cost, dict):
        return None
    bill = as_object(cost)
    total = bill.get("total_cost")
    if bill.get("currency", "USD") != "USD" or not isinstance(total, int | float) or isinstance(total, bool):
        return None
    if not 0 <= total <= _BILL_CAP_USD:
        return None
    return int((Decimal(str(total)) * _MICRO).quantize(Decimal(1), ROUND_HALF_UP))
