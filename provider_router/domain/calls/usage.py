"""Tokens as providers count them."""

from __future__ import annotations

from collections.abc import Iterable

from shared.value import value


@value
class TokenUsage:
    """Tokens as the provider counted them.

    Attributes:
        input_tokens: Of the prompt: those read from the provider's cache, those written to it and all others.
        output_tokens: Generated, reasoning included.
        cached_input_tokens: Of the prompt, read from the provider's cache; at most `input_tokens`.
        reasoning_tokens: Generated as reasoning; at most `output_tokens`.
        cache_write_input_tokens: Of the prompt, written to the provider's cache; with `cached_input_tokens` at most
            `input_tokens`, since no token is both.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_input_tokens: int = 0

    @property
    def plain_input_tokens(self) -> int:
        """Of the prompt, neither read from the provider's cache nor written to it."""
        return self.input_tokens - self.cached_input_tokens - self.cache_write_input_tokens


def total_usage(usages: Iterable[TokenUsage]) -> TokenUsage:
    """The tokens of several attempts together."""
    each = tuple(usages)
    return TokenUsage(
        input_tokens=sum(usage.input_tokens for usage in each),
        output_tokens=sum(usage.output_tokens for usage in each),
        cached_input_tokens=sum(usage.cached_input_tokens for usage in each),
        reasoning_tokens=sum(usage.reasoning_tokens for usage in each),
        cache_write_input_tokens=sum(usage.cache_write_input_tokens for usage in each),
    )
