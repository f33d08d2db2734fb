"""The headers that say how a request is to be routed."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from provider_router.domain.calls.chat_call import CacheMode, OnBreak, RoutingOptions
from provider_router.domain.calls.embedding import AS_RULES_SAY, Handling
from provider_router.domain.contracts.contract import DataClass
from shared.errors import FieldViolation, InvalidInput

PREFIX = "x-nexus-"
_PREFIX_LENGTH = len(PREFIX)
_MICRO_USD = 1_000_000
_MOST_USD = 1_000_000
_LONGEST_S = 86_400
_LONGEST_AGE_S = 31_536_000
_MOST_REGIONS = 32
_REGION = re.compile(r"[A-Za-z0-9_-]{1,32}")
_NAME = re.compile(r"[\x21-\x7e]{1,64}")
_CONVERSATION = re.compile(r"[\x20-\x7e]{1,128}")
OF_EMBEDDINGS = ("data-class", "residency", "max-cost-usd", "timeout", "conversation")
"""Those that have a meaning where there is one model and one way."""
_DIGITS = re.compile(r"[0-9]{1,9}")


def routing_options(headers: Mapping[str, str], model: str, tier: str) -> RoutingOptions:
    """How a chat is to be routed.

    Args:
        headers: Of the request.
        model: As `RoutingOptions.model`.
        tier: That the name of the model asks for; empty for none.

    Raises:
        InvalidInput: REQUEST_INVALID, with each header that is wrong.
    """
    found = _options_in(headers, _HEADERS)
    if not found:
        return _plain(model, tier)
    if tier and found.setdefault("tier", tier) != tier:
        raise _invalid([FieldViolation(f"{PREFIX}tier", f"asks for another tier than the model 'nexus/{tier}'")])
    return RoutingOptions(model=model, **found)


@lru_cache(maxsize=256)
def _plain(model: str, tier: str) -> RoutingOptions:
    """What most requests ask for: nothing but a model."""
    return RoutingOptions(model=model, tier=tier)


def handling(headers: Mapping[str, str]) -> Handling:
    """What is said of texts to embed.

    Raises:
        InvalidInput: REQUEST_INVALID, with each header that is wrong, or has a meaning for chats alone.
    """
    found = _options_in(headers, OF_EMBEDDINGS)
    return Handling(**found) if found else AS_RULES_SAY


def _options_in(headers: Mapping[str, str], meant: Collection[str]) -> dict[str, Any]:
    """The fields of `RoutingOptions` that headers set, of those that have a meaning."""
    found: dict[str, Any] = {}
    wrong: list[FieldViolation] = []
    for name, value in headers.items():
        if name[:_PREFIX_LENGTH] != PREFIX:
            continue
        own = name.removeprefix(PREFIX)
        if own not in meant:
            names = ", ".join(f"{PREFIX}{each}" for each in meant)
            why = "has no meaning for embeddings" if own in _HEADERS else "is no header of Nexus"
            wrong.append(FieldViolation(name, f"{why}; there are {names}"))
            continue
        field, read, expected = _HEADERS[own]
        try:
            found[field] = read(value)
        except (ValueError, KeyError, InvalidOperation):
            wrong.append(FieldViolation(name, f"must be {expected}"))
    if wrong:
        raise _invalid(wrong)
    return found


def _invalid(wrong: list[FieldViolation]) -> InvalidInput:
    text = "; ".join(f"{each.field} {each.description}" for each in wrong)
    return InvalidInput("REQUEST_INVALID", f"The request is not valid: {text}.", violations=wrong)


def _matching(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def read(value: str) -> str:
        if not pattern.fullmatch(value):
            raise ValueError(value)
        return value

    return read


def _regions(value: str) -> frozenset[str]:
    regions = [_matching(_REGION)(each.strip()).lower() for each in value.split(",")]
    if len(regions) > _MOST_REGIONS:
        raise ValueError(value)
    return frozenset(regions)


def _between(least: Decimal, most: Decimal) -> Callable[[str], Decimal]:
    def read(value: str) -> Decimal:
        number = Decimal(value) if value.isascii() and len(value) <= 24 else Decimal("NaN")
        if not least <= number <= most:
            raise ValueError(value)
        return number

    return read


_dollars = _between(Decimal(0), Decimal(_MOST_USD))
_seconds = _between(Decimal("0.001"), Decimal(_LONGEST_S))


def _age_s(value: str) -> int:
    age = int(_matching(_DIGITS)(value))
    if not 1 <= age <= _LONGEST_AGE_S:
        raise ValueError(value)
    return age


_HEADERS: Mapping[str, tuple[str, Callable[[str], object], str]] = {
    "tier": ("tier", _matching(_NAME), "the name of a tier"),
    "data-class": (
        "data_class",
        lambda value: DataClass[value.upper()],
        f"one of {', '.join(each.name.lower() for each in DataClass)}",
    ),
    "residency": ("residency", _regions, "regions, separated by commas"),
    "max-cost-usd": (
        "max_cost_micro_usd",
        lambda value: int(_dollars(value) * _MICRO_USD),
        f"an amount of US dollars from 0 to {_MOST_USD}, such as 0.05",
    ),
    "timeout": ("timeout_ms", lambda value: int(_seconds(value) * 1000), f"seconds from 0.001 to {_LONGEST_S}"),
    "conversation": ("conversation_id", _matching(_CONVERSATION), "1 to 128 characters of ASCII"),
    "cache": ("cache", CacheMode, f"one of {', '.join(CacheMode)}"),
    "cache-max-age": ("cache_max_age_s", _age_s, f"whole seconds from 1 to {_LONGEST_AGE_S}"),
    "on-break": ("on_break", OnBreak, f"one of {', '.join(OnBreak)}"),
    "hedge": ("hedge", lambda value: {"true": True, "false": False}[value], "true or false"),
    "drop-unsupported": ("drop_unsupported", lambda value: {"true": True, "false": False}[value], "true or false"),
}
"""By name: the field of `RoutingOptions`, what reads it, raising for what it does not understand, and what it takes."""
