"""Reads `usage` of the Messages dialect.

The dialect counts beside each other what the contract counts within the prompt: `input_tokens` are those after the last
cache breakpoint, `cache_read_input_tokens` and `cache_creation_input_tokens` come on top. `output_tokens` holds
thinking. In a stream, `message_start` has the prompt's counts and a first `output_tokens`, each `message_delta` the
counts so far: they are cumulative, for whatever fields it has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provider_router.adapters.http.json_fields import as_count, as_object
from provider_router.domain.calls.usage import TokenUsage

_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")


class UsageCount:
    """Collects the counts of one answer. They are cumulative, so the largest of each kind is the count."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._thinking = 0
        self._input_known = False
        self._output_known = False

    def begin(self, value: Any) -> None:
        """Takes the usage of `message_start`; its `output_tokens` are no count of the answer yet.

        Raises:
            MalformedAnswerError: It is no object, or a count is no whole number of at least 0.
        """
        usage = as_object(value)
        self._input_known = self._input_known or usage.get("input_tokens") is not None
        self._take(usage)

    def add(self, value: Any) -> None:
        """Takes the usage of a `message_delta`, or of a whole message.

        Raises:
            MalformedAnswerError: As `begin`.
        """
        usage = as_object(value)
        self._input_known = self._input_known or usage.get("input_tokens") is not None
        self._output_known = self._output_known or usage.get("output_tokens") is not None
        self._take(usage)

    def usage(self) -> TokenUsage | None:
        """The count; None while either the prompt or the answer was not counted: that must not pass for 0."""
        if not (self._input_known and self._output_known):
            return None
        cached = self._counts["cache_read_input_tokens"]
        written = self._counts["cache_creation_input_tokens"]
        output_tokens = self._counts["output_tokens"]
        return TokenUsage(
            input_tokens=self._counts["input_tokens"] + cached + written,
            output_tokens=output_tokens,
            cached_input_tokens=cached,
            reasoning_tokens=min(self._thinking, output_tokens),
            cache_write_input_tokens=written,
        )

    def _take(self, usage: Mapping[str, Any]) -> None:
        for name in _COUNTS:
            self._counts[name] = max(self._counts[name], as_count(usage.get(name)))
        by_lifetime = as_object(usage.get("cache_creation"))
        written = sum(as_count(by_lifetime.get(f"ephemeral_{lifetime}_input_tokens")) for lifetime in ("5m", "1h"))
        self._counts["cache_creation_input_tokens"] = max(self._counts["cache_creation_input_tokens"], written)
        thinking = as_object(usage.get("output_tokens_details")).get("thinking_tokens")
        self._thinking = max(self._thinking, as_count(thinking))


def usage_of(value: Any) -> TokenUsage | None:
    """Reads the `usage` of a whole message; None where there is none, or either side of it is missing.

    Raises:
        MalformedAnswerError: As `UsageCount.begin`.
    """
    count = UsageCount()
    count.add(value)
    return count.usage()
