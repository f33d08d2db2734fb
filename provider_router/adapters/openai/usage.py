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

_CACHED_BESIDE = ("prompt_cache_hit_tokens", "cached_tokens")


def usage_of(value: Any) -> TokenUsage | None:
    """Reads the `usage` of a chat, of a whole answer or of a chunk.

    Returns:
        None where there is none, or less than two of the prompt's, the answer's and the total count: what is missing
        must not pass for 0.

    Raises:
        MalformedAnswerError: It is no object, or a count is no whole number of at least 0.
    """
    usage = as_object(value)
    asked, answered, total = (usage.get("prompt_tokens"), usage.get("completion_tokens"), usage.get("total_tokens"))
    input_tokens, output_tokens, all_tokens = as_count(asked), as_count(answered), as_count(total)
    if (asked is None) + (answered is None) + (total is None) > 1:
        return None
    if asked is None:
        input_tokens = max(0, all_tokens - output_tokens)
    reasoning = _reasoning(usage)
    # What is generated and not in the count of the answer is in the total, or stands beside both.
    output_tokens = max(output_tokens, all_tokens - input_tokens)
    if reasoning > output_tokens:
        output_tokens += reasoning
    cached, written = _cached(usage)
    if not cached and not written:
        return TokenUsage(input_tokens, output_tokens, reasoning_tokens=reasoning)
    cached = min(cached, input_tokens)
    return TokenUsage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cached_input_tokens=cached,
        reasoning_tokens=reasoning,
        cache_write_input_tokens=min(written, input_tokens - cached),
    )


def embedding_usage_of(value: Any) -> TokenUsage | None:
    """Reads the `usage` of embeddings, which has no answer; None where the prompt was not counted.

    Raises:
        MalformedAnswerError: As `usage_of`.
    """
    usage = as_object(value)
    counted = next((usage[name] for name in ("prompt_tokens", "total_tokens") if usage.get(name) is not None), None)
    return None if counted is None else TokenUsage(input_tokens=as_count(counted))


def _reasoning(usage: Mapping[str, Any]) -> int:
    details = usage.get("completion_tokens_details")
    told = 0 if details is None else as_count(as_object(details).get("reasoning_tokens"))
    return told or (as_count(usage["reasoning_tokens"]) if "reasoning_tokens" in usage else 0)


def _cached(usage: Mapping[str, Any]) -> tuple[int, int]:
    """Tokens that were read from the cache, and that were written to it."""
    cached = written = 0
    details = usage.get("prompt_tokens_details")
    if details is not None:
        told = as_object(details)
        cached, written = as_count(told.get("cached_tokens")), as_count(told.get("cache_write_tokens"))
    for name in _CACHED_BESIDE:
        if not cached and name in usage:
            cached = as_count(usage[name])
    return cached, written
