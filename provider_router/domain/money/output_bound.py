"""How many tokens a service may generate for a request: what is reserved, and what is promised."""

from __future__ import annotations

from provider_router.domain.contracts.contract import Capabilities

ASSUMED_OUTPUT_TOKENS = 4_096
"""Reserved where neither the caller, nor the contract, nor a context length bounds the answer."""


def most_output_tokens(capabilities: Capabilities, input_tokens: int, max_output_tokens: int) -> int | None:
    """The most tokens of an answer; None where nothing bounds it.

    Args:
        capabilities: Of the service.
        input_tokens: Of the prompt: what is left of the context length bounds the answer.
        max_output_tokens: The caller's limit; 0 for none.
    """
    most: int | None = max_output_tokens or None
    own = capabilities.max_output_tokens
    if own and (most is None or own < most):
        most = own
    if capabilities.context_length:
        left = max(0, capabilities.context_length - input_tokens)
        most = left if most is None or left < most else most
    return most


def reserved_output_tokens(capabilities: Capabilities, input_tokens: int, max_output_tokens: int) -> int:
    """The tokens of an answer that are reserved: `most_output_tokens`, or ASSUMED_OUTPUT_TOKENS where it is None."""
    most = most_output_tokens(capabilities, input_tokens, max_output_tokens)
    return ASSUMED_OUTPUT_TOKENS if most is None else most
