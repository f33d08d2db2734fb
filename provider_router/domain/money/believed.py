"""What of a provider's own counts and bills is believed: providers make mistakes, and callers pay for them."""

from __future__ import annotations

from provider_router.domain.calls.usage import TokenUsage

# The router's estimate may be short where it knows little: pictures and files by address, prompts that a provider adds,
# thoughts that it does not count towards the limit.
_TIMES = 8
_MORE_TOKENS = 10_000
_MORE_MICRO_USD = 10_000_000


def believed_usage(usage: TokenUsage | None, reserved: TokenUsage, *, said: bool) -> TokenUsage | None:
    """What is charged of the tokens that a provider counted.

    Args:
        usage: As it counted them; None where it did not.
        reserved: Tokens that the attempt may use, as the router estimates them.
        said: Whether something of an answer came.

    Returns:
        `usage` itself where it can be true; less where it is more than eight times what was reserved and 10,000 tokens;
        None where it is missing, or nothing where there was something.
    """
    if usage is None or not usage.input_tokens or (said and not usage.output_tokens):
        return None
    most_input = _TIMES * reserved.input_tokens + _MORE_TOKENS
    most_output = _TIMES * reserved.output_tokens + _MORE_TOKENS
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


def believed_bill(micro_usd: int | None, reserved_micro_usd: int) -> int | None:
    """The bill of a provider that says what it charges; None where it says nothing.

    None as well where it is more than eight times what was reserved and 10 US dollars: then its tokens are charged.
    """
    if micro_usd is None or micro_usd > _TIMES * reserved_micro_usd + _MORE_MICRO_USD:
        return None
    return micro_usd
