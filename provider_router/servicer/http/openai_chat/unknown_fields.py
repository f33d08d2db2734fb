"""Fields that have no place in the router's own model: what becomes of them.

A provider of the dialect is sent them as they are. For others they are `foreign`: the caller loses something without
them, and must allow it; or `hints`, which change nothing of what is answered, only how soon, at what price, or what is
noted of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.servicer.http.fields import WrongFieldError

_NAME = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
HINTS = frozenset(
    {
        "metadata",
        "prediction",
        "prompt_cache_breakpoint",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "service_tier",
        "store",
        # What clients send back of an answer and no model reads.
        "annotations",
        "reasoning_details",
    }
)
_NEUTRAL: Mapping[str, Sequence[Any]] = {
    "index": range(128),
    "metadata": ({},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "verbosity": ("medium",),
}
"""Values that say what holds without them."""
REFUSED: Mapping[str, str] = {
    "functions": "is not taken any more: use tools",
    "function_call": "is not taken any more: use tools and tool_choice",
    # Servers of the dialect take them, and would generate more, or with another model, than was decided and reserved.
    **dict.fromkeys(("n_predict", "num_predict", "max_new_tokens"), "is not taken: use max_completion_tokens"),
    **dict.fromkeys(("best_of", "n_cmpl", "num_return_sequences"), "is not taken: use n"),
    **dict.fromkeys(("models", "fallbacks", "route", "preset"), "is not taken: the router chooses among models"),
    **dict.fromkeys(("api_base", "base_url", "api_key"), "is not taken: providers are the operator's"),
    "comparison_response_id": "needs stored state, and nothing is stored here",
}
_DECIDED = frozenset(
    {
        "model",
        "n",
        "stream",
        "stream_options",
        "store",
        "service_tier",
        "max_tokens",
        "max_completion_tokens",
        "max_output_tokens",
        "background",
        "previous_response_id",
        "conversation",
    }
)
"""What the router reads, or writes itself. Servers that are written in Go find their fields in any case."""
_TIERS = ("flex", "scale")
"""Those that cost no more than a contract's price."""


def is_hint(name: str, value: Any) -> bool | None:
    """Whether the unknown field `name` is a hint; None where its value changes nothing.

    Raises:
        WrongFieldError: It must not reach a provider.
    """
    if value is None or value == [] or value in _NEUTRAL.get(name, ()):
        return None
    check_taken(name)
    check_name(name)
    if name == "service_tier" and value not in _TIERS:
        raise WrongFieldError(f"must be one of {', '.join((*_NEUTRAL[name], *_TIERS))}: others cost more than is known")
    return name in HINTS


def check_taken(name: str) -> None:
    """Checks that no server could take `name` for something that the router decides.

    Raises:
        WrongFieldError: One could.
    """
    lower = name.lower()
    if lower in REFUSED:
        raise WrongFieldError(REFUSED[lower])
    if lower in _DECIDED and name != lower:
        raise WrongFieldError(f"is not taken: write {lower}")


def check_name(name: str) -> None:
    """Checks that `name` can be told in a header.

    Raises:
        WrongFieldError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise WrongFieldError("has a name that no field of the dialect has")
