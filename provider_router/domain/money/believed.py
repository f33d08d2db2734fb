"""What of a provider's own counts and bills is believed: providers make mistakes, and callers pay for them."""

from __future__ import annotations

from datetime import date

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Contract
from provider_router.domain.money.pricing import upper_bound_micro_usd

# Where the provider runs tools, the model reads its context again after each of them; and it may think beyond the
# limit of its answer.
_TIMES = 8
_MORE_TOKENS = 10_000
# Above every context that is offered, for models of which nobody says how long theirs is.
_ASSUMED_CONTEXT = 2_000_000
# For searches and other tools, which have no price here.
_MORE_MICRO_USD = 10_000_000


def believed_usage(
    usage: TokenUsage | None, reserved: TokenUsage, contract: Contract, *, said: bool
) -> TokenUsage | None:
    """What is charged of the tokens that a provider counted.

    Args:
        usage: As it counted them; None where it did not.
        reserved: Tokens that the attempt may use, as the router estimates them.
        contract: Of the service: what it can read bounds the prompt, not the estimate, which knows little of files by
            address and nothing of what the provider's own tools find.
        said: Whether something of an answer came.

    Returns:
        `usage` itself where it can be true; less where the prompt is more than eight full contexts (or eight times the
        estimate), or the answer more than eight times what was reserved, and 10,000 tokens; None where it is missing,
        or nothing where there was something.
    """
    if usage is None or not usage.input_tokens or (said and not usage.output_tokens):
        return None
    most_input, most_output = _most_input(reserved, contract), _most_output(reserved)
    if usage.input_tokens <= most_input and usage.output_tokens <= most_output:
        return usage
    input_tokens, output_tokens = min(usage.input_tokens, most_input), min(usage.output_tokens, most_output)
    cached = min(usage.cached_input_tokens, input_tokens)
    return TokenUsage(
        input_tokens,
        output_tokens,
        cached,
        min(usage.reasoning_tokens, output_tokens),
        min(usage.cache_write_input_tokens, input_tokens - cached),
    )


def believed_bill(micro_usd: int | None, reserved: TokenUsage, contract: Contract, day: date) -> int | None:
    """The bill of a provider that says what it charges; None where it says nothing.

    None as well where it is more than the most tokens that are believed cost by the price on `day`, and 10 US dollars:
    then its tokens are charged.
    """
    if micro_usd is None or micro_usd <= _MORE_MICRO_USD:
        return micro_usd
    most = upper_bound_micro_usd(contract.price_on(day), _most_input(reserved, contract), _most_output(reserved))
    return micro_usd if micro_usd <= most + _MORE_MICRO_USD else None


def _most_input(reserved: TokenUsage, contract: Contract) -> int:
    context = contract.capabilities.context_length or _ASSUMED_CONTEXT
    return _TIMES * max(reserved.input_tokens, context) + _MORE_TOKENS


def _most_output(reserved: TokenUsage) -> int:
    return _TIMES * reserved.output_tokens + _MORE_TOKENS
