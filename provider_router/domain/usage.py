"""Tokens and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

_TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens as the provider counted them.

    Attributes:
        input_tokens: Of the prompt, cached ones included.
        output_tokens: Generated, reasoning included.
        cached_input_tokens: Of the prompt, found in the provider's cache; at most `input_tokens`.
        reasoning_tokens: Generated as reasoning; at most `output_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Prices:
    """What a model costs, in millionths of a US dollar per million tokens.

    Attributes:
        input_micro_usd: For prompt tokens.
        output_micro_usd: For generated tokens.
        cached_input_micro_usd: For cached prompt tokens; None where they cost the same as others.
    """

    input_micro_usd: int = 0
    output_micro_usd: int = 0
    cached_input_micro_usd: int | None = None

    def cost_micro_usd(self, usage: TokenUsage) -> int:
        """The price of `usage` in millionths of a US dollar; the sum is rounded once, half up."""
        cached = min(usage.cached_input_tokens, usage.input_tokens)
        cached_price = self.input_micro_usd if self.cached_input_micro_usd is None else self.cached_input_micro_usd
        total = (
            (usage.input_tokens - cached) * self.input_micro_usd
            + cached * cached_price
            + usage.output_tokens * self.output_micro_usd
        )
        return (total + _TOKENS_PER_PRICE // 2) // _TOKENS_PER_PRICE
