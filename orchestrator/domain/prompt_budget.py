"""Fits a prompt into a model's context: what must be there stays, the oldest history goes first.

Tokens are estimated as a quarter of the characters, plus four a message for its frame. That is rough: it is right
within a third for English, and the reserve for the answer takes up the difference.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.domain.chat import ChatMessage, ToolOffer

CHARS_PER_TOKEN = 4
FRAME_TOKENS = 4
UNKNOWN_CONTEXT_TOKENS = 32_768
MOST_OUTPUT_TOKENS = 1024
TRIM_MARK = "\n[... cut: {dropped} more characters]"


@dataclass(frozen=True, slots=True)
class Budget:
    """Tokens of one model call: what the prompt may have, and what is kept for the answer."""

    prompt_tokens: int
    output_tokens: int


@dataclass(frozen=True, slots=True)
class FittedHistory:
    """The newest messages that fit, oldest first, and how many were left out."""

    messages: tuple[ChatMessage, ...]
    dropped: int


def budget_of(context_length: int) -> Budget:
    """Return the budget of a model with a context of so many tokens, 0 when unknown."""
    context = context_length or UNKNOWN_CONTEXT_TOKENS
    output = min(MOST_OUTPUT_TOKENS, context // 4)
    return Budget(context - output, output)


def tokens_of_text(text: str) -> int:
    """Return the estimate for a text."""
    return -(-len(text) // CHARS_PER_TOKEN)


def tokens_of_message(message: ChatMessage) -> int:
    """Return the estimate for a message with its tool calls."""
    calls = sum(tokens_of_text(call.tool) + tokens_of_text(call.arguments_json) for call in message.tool_calls)
    return FRAME_TOKENS + tokens_of_text(message.text) + calls


def tokens_of_offers(offers: Sequence[ToolOffer]) -> int:
    """Return the estimate for the tools that are offered with a prompt."""
    return sum(
        FRAME_TOKENS
        + tokens_of_text(offer.name)
        + tokens_of_text(offer.description)
        + tokens_of_text(offer.parameters_json_schema)
        for offer in offers
    )


def fit_history(history: Sequence[ChatMessage], room_tokens: int) -> FittedHistory:
    """Return the newest messages of the history that fit into the room. A gap never opens in the middle."""
    kept: list[ChatMessage] = []
    left = room_tokens
    for message in reversed(history):
        left -= tokens_of_message(message)
        if left < 0:
            break
        kept.append(message)
    return FittedHistory(tuple(reversed(kept)), len(history) - len(kept))


def trimmed(text: str, most_tokens: int) -> str:
    """Return the text, cut to about `most_tokens` with a mark that says how much is missing."""
    most_chars = max(most_tokens, 0) * CHARS_PER_TOKEN
    if len(text) <= most_chars:
        return text
    return text[:most_chars] + TRIM_MARK.format(dropped=len(text) - most_chars)
