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
    "index": range(128),
    "metadata": ({},),
    "modalities": (["text"],),
    "service_tier": ("auto", "default"),
    "speed": ("standard",),
    "store": (False,),
    "verbosity": ("medium",),
}
"""Values that say what holds without them."""
# By some word or other, servers know how many tokens to generate; `max_length` has a meaning of its own in JSON Schema
# when it is written otherwise.
_LIMIT = re.compile(
    r"(?:max|min)(?![a-z_-]*(?:prompt|input|context))[a-z_-]*(?:tokens?|toks)(?:_?to_?sample)?"
    r"|n(?:um)?[_-]?(?:predict|tokens)|(?:max|min)_(?:[a-z]+_)?length"
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
        "speed",
        "modalities",
        "background",
        "previous_response_id",
        "conversation",
    }
)
"""What the router reads, or writes itself. Servers that are written in Go find their fields in any case."""
_AT_NO_MORE: Mapping[str, tuple[Sequence[str], str]] = {
    "modalities": ((), "text alone"),
    "service_tier": (("flex", "scale"), "one of auto, default, flex, scale"),
    "speed": ((), "standard"),
}
"""Values that cost no more than a contract's price, besides the neutral ones; and all of them in words."""
_ONE_LIMIT = "is not taken: use {}, the one limit of an answer"
STORED = "must be false or left out: nothing is stored here"


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
    check_taken(name, limit)
    check_name(name)
    if name in _AT_NO_MORE:
        _check_price(name, value)
    if name == "store":
        raise WrongFieldError(STORED)
    if name in HINTS:
        return True
    check_within(value, limit)
    return False


def says_nothing(name: str, value: Any) -> bool:
    """Whether the unknown field `name` might as well be absent."""
    return value is None or value == [] or value in _NEUTRAL.get(name, ())


def check_taken(name: str, limit: str) -> None:
    """Checks that no server could take `name` for something that the router decides; `limit` is as in `is_hint`.

    Raises:
        WrongFieldError: One could.
    """
    lower = name.lower()
    if lower in _REFUSED:
        raise WrongFieldError(_REFUSED[lower])
    if lower in _DECIDED and name != lower:
        raise WrongFieldError(f"is not taken: write {lower}")
    if _LIMIT.fullmatch(lower):
        raise WrongFieldError(_ONE_LIMIT.format(limit))


def check_within(value: Any, limit: str) -> None:
    """Checks what stands in a field that nobody knows: some servers look for parameters in such.

    Only what has a plain value is looked at: in a JSON Schema these words may name anything.

    Raises:
        WrongFieldError: A field of it must not reach a provider.
    """
    if type(value) in _LIST:
        for index, inner in enumerate(value):
            _check_step(inner, f"[{index}]", limit)
    elif type(value) in _OBJECT:
        for name, inner in value.items():
            if type(inner) in _LIST and name.lower() in _BEHIND:
                raise WrongFieldError(_BEHIND[name.lower()], f".{name}")
            if type(inner) in _LIST or type(inner) in _OBJECT:
                _check_step(inner, f".{name}", limit)
            elif inner is not None:
                _check_plain(name, inner, limit)


def check_name(name: str) -> None:
    """Checks that `name` can be told in a header.

    Raises:
        WrongFieldError: It cannot.
    """
    if not _NAME.fullmatch(name):
        raise WrongFieldError("has a name that no field of the dialect has")


def _check_step(value: Any, step: str, limit: str) -> None:
    try:
        check_within(value, limit)
    except WrongFieldError as error:
        raise error.within(step) from error


def _check_plain(name: str, value: Any, limit: str) -> None:
    lower = name.lower()
    if lower in _BEHIND:
        raise WrongFieldError(_BEHIND[lower], f".{name}")
    if _LIMIT.fullmatch(lower):
        raise WrongFieldError(_ONE_LIMIT.format(limit), f".{name}")
    if lower in _AT_NO_MORE and value not in _NEUTRAL[lower]:
        try:
            _check_price(lower, value)
        except WrongFieldError as error:
            raise error.within(f".{name}") from error


def _check_price(name: str, value: Any) -> None:
    at_no_more, words = _AT_NO_MORE[name]
    if value not in at_no_more:
        raise WrongFieldError(f"must be {words}: others cost more than is known")
