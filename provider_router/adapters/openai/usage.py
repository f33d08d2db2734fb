"""Reads `usage` of the chat completions dialect into one way of counting, whoever sent it.

The dialect's rule is OpenAI's: `completion_tokens` holds reasoning, `prompt_tokens` holds what was read from the cache
and written to it. Servers differ:

- Gemini leaves the thoughts that it bills out of `completion_tokens`; they are in `total_tokens` alone. So does xAI.
- Perplexity says `reasoning_tokens` beside the counts, and its research models leave them out of the total, too.
- DeepSeek says `prompt_cache_hit_tokens`, Moonshot `cached_tokens`, beside the counts.
- Ollama, vLLM and llama.cpp send the three counts, with details or without.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.adapters.http.json_fields import as_count, as_object
from provider_router.domain.calls.usage import TokenUsage

_COUNTS = ("prompt_tokens", "completion_tokens", "total_tokens")


def usage_of(value: Any) -> TokenUsage | None:
    """Reads the `usage` of a chat, of a whole answer or of a chunk.

    Returns:
        None where there is none, or less than two of the prompt's, the answer's and the total count: what is missing
        must not pass for 0.

    Raises:
        MalformedAnswerError: It is no object, or a count is no whole number of at least 0.
    """
    usage = as_object(value)
    known = {name: as_count(usage[name]) for name in _COUNTS if usage.get(name) is not None}
    if len(known) < 2:
        return None
    total = known.get("total_tokens", 0)
    input_tokens = known.get("prompt_tokens", max(0, total - known.get("completion_tokens", 0)))
    reasoning = _reasoning(usage)
    # What is generated and not in the count of the answer is in the total, or stands beside both.
    output_tokens = max(known.get("completion_tokens", 0), total - input_tokens)
    if reasoning > output_tokens:
        output_tokens += reasoning
    return _within(input_tokens, output_tokens, reasoning, as_object(usage.get("prompt_tokens_details")), usage)


def embedding_usage_of(value: Any) -> TokenUsage | None:
    """Reads the `usage` of embeddings, which has no answer; None where the prompt was not counted.

    Raises:
        MalformedAnswerError: As `usage_of`.
    """
    usage = as_object(value)
    counted = next((usage[name] for name in ("prompt_tokens", "total_tokens") if usage.get(name) is not None), None)
    return None if counted is None else TokenUsage(input_tokens=as_count(counted))


def _reasoning(usage: Mapping[str, Any]) -> int:
    details = as_object(usage.get("completion_tokens_details"))
    return as_count(details.get("reasoning_tokens")) or as_count(usage.get("reasoning_tokens"))


def _within(
    input_tokens: int, output_tokens: int, reasoning: int, details: Mapping[str, Any], usage: Mapping[str, Any]
) -> TokenUsage:
    cached = (
        as_count(details.get("cached_tokens"))
        or as_count(usage.get("prompt_cache_hit_tokens"))
        or as_count(usage.get("cached_tokens"))
    )
    cached = min(cached, input_tokens)
    return TokenUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        reasoning_tokens=reasoning,
        cache_write_input_tokens=min(as_count(details.get("cache_write_tokens")), input_tokens - cached),
    )
