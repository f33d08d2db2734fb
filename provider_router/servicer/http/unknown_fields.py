"""Fields that have no place in the router's own model: what becomes of them, on every surface.

A provider of the dialect is sent them as they are. For others they are `foreign`: the caller loses something without
them, and must allow it; or `hints`, which change nothing of what is answered, only how soon, at what price, or what is
noted of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from provider_router.servicer.http.fields import WrongFieldError, step_to, steps_in

# What parsed JSON has is of these very types.
_OBJECT, _LIST = (dict,), (list,)
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
        # What clients send back of an answer and no model reads.
        "annotations",
        "reasoning_details",
    }
)
_NEUTRAL: Mapping[str, Sequence[Any]] = {
    "background": (False,),
    "index": range(128),
    "metadata": ({},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "speed": ("standard",),
    "store": (False,),
    "verbosity": ("medium",),
}
"""Values that say what holds without them."""
# By some word or other, servers know how many tokens to generate. Those of the prompt alone are another matter, and
# `maxLength` has a meaning of its own in JSON Schema.
_LIMIT = re.compile(
    r"(?:max|min)(?![_-]?(?:prompt|input|context)[_-]?(?:tokens?|toks|len(?:gth)?)$)"
    r"(?:[a-z_-]*(?:tokens?|toks)(?:_?to_?(?:sample|generate))?|[a-z_-]+len(?:gth)?|[_-]?output)"
    r"|n(?:um)?[_-]?(?:predict|tokens)|tokens?_?(?:to_?(?:generate|sample|predict)|limit)"
)
_BEHIND: Mapping[str, str] = {
    # Servers would generate more, or with another model, than was decided and reserved; elsewhere, or dearer.
    **dict.fromkeys(("best_of", "n_cmpl", "num_return_sequences"), "is not taken: use n"),
    **dict.fromkeys(("models", "fallbacks"), "is not taken: the router chooses among models"),
    **dict.fromkeys(("api_base", "base_url", "api_key"), "is not taken: providers are the operator's"),
    **dict.fromkeys(
        ("inference_geo", "workspace_id", "billing_policy", "fallback_credit_token"),
        "is not taken: that is the operator's to say",
    ),
}
"""Refused also where they stand within a field that nobody knows."""
_REFUSED: Mapping[str, str] = {
    **_BEHIND,
    "functions": "is not taken any more: use tools",
    "function_call": "is not taken any more: use tools and tool_choice",
    **dict.fromkeys(("route", "preset"), "is not taken: the router chooses among models"),
    "extra_body": "is a word of clients: send its fields in its place",
    **dict.fromkeys(
        ("comparison_response_id", "conversation", "previous_response_id"),
        "needs stored state, and nothing is stored here",
    ),
}
_DECIDED = frozenset(
    {
        "model",
        "n",
        "stream",
        "stream_options",
        "store",
        "service_tier",
        "speed",
        "modalities",
        "background",
        "previous_response_id",
        "conversation",
    }
)
"""What the router reads, or writes itself. Servers that are written in Go find their fields in any case."""
STORED = "must be false or left out: nothing is stored here"
LATER = "must be false or left out: nothing is stored here that could be fetched later"
_DEARER = "others cost more than is known"
_BOUND: Mapping[str, tuple[Sequence[str], str]] = {
    "background": ((), LATER),
    "modalities": ((), f"must be text alone: {_DEARER}"),
    "service_tier": (("flex", "scale"), f"must be one of auto, default, flex, scale: {_DEARER}"),
    "speed": ((), f"must be standard: {_DEARER}"),
    "store": ((), STORED),
}
"""Values that cost no more than a contract's price, besides the neutral ones; and what is said of all others."""
_ONE_LIMIT = "is not taken: use {}, the one limit of an answer"
# Where names are the caller's own: JSON Schema's.
_NAMING = frozenset(
    {"properties", "patternproperties", "$defs", "definitions", "dependentschemas", "dependentrequired"}
)


def is_hint(name: str, value: Any, limit: str) -> bool | None:
    """Whether the unknown field `name` is a hint; None where its value changes nothing.

    Args:
        name: Of the field.
        value: Of the field.
        limit: What the dialect calls the most tokens to generate.

    Raises:
        WrongFieldError: It must not reach a provider.
    """
    if says_nothing(name, value):
        return None
    _check_taken(name, limit)
    check_name(name)
    _check_bound(name, value)
    if name in HINTS:
        return True
    _check_within(value, limit)
    return False


def says_nothing(name: str, value: Any) -> bool:
    """Whether the unknown field `name` might as well be absent."""
    return value is None or value == [] or value in _NEUTRAL.get(name, ())


def check_name(name: str) -> None:
    """Checks that `name` can be told in a header.

    Raises:
        WrongFieldError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise WrongFieldError("has a name that no field of the dialect has")


def _check_taken(name: str, limit: str) -> None:
    """Checks that no server could take `name` for something that the router decides; `limit` is as in `is_hint`."""
    lower = name.lower()
    if lower in _REFUSED:
        raise WrongFieldError(_REFUSED[lower])
    if lower in _DECIDED and name != lower:
        raise WrongFieldError(f"is not taken: write {lower}")
    if _LIMIT.fullmatch(lower):
        raise WrongFieldError(_ONE_LIMIT.format(limit))


def _check_bound(name: str, value: Any) -> None:
    if name in _BOUND and value not in _NEUTRAL[name] and value not in _BOUND[name][0]:
        raise WrongFieldError(_BOUND[name][1])


def _check_within(value: Any, limit: str, *, named: bool = False) -> None:
    """Checks what stands in a field that nobody knows: some servers look for parameters in such.

    Args:
        value: Of the field.
        limit: As in `is_hint`.
        named: Whether the names in `value` are the caller's own where they are of objects and lists.
    """
    for key, inner in steps_in(value):
        lower = "" if isinstance(key, int) else key.lower()
        is_container = type(inner) in _LIST or type(inner) in _OBJECT
        try:
            if lower and inner is not None and not (named and is_container):
                _check_inner(lower, inner, limit)
            if is_container:
                _check_within(inner, limit, named=lower in _NAMING and not named)
        except WrongFieldError as error:
            raise error.within(step_to(key)) from error


def _check_inner(lower: str, value: Any, limit: str) -> None:
    if lower in _BEHIND:
        raise WrongFieldError(_BEHIND[lower])
    if _LIMIT.fullmatch(lower):
        raise WrongFieldError(_ONE_LIMIT.format(limit))
    _check_bound(lower, value)
