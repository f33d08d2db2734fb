"""Narrow, checked access to JSON that a provider sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import orjson

from provider_router.domain.calls.lone_surrogates import without_lone_surrogates

_COUNT_CAP = 10**12
# To search for halves of characters takes some 20 ns a byte, for which everybody else waits.
_REPAIRED_BYTES = 4 * 1024 * 1024
# What parsed JSON has is of these very types, which are asked for in the way that costs least.
_OBJECT, _LIST = (dict,), (list,)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


class MalformedAnswerError(ValueError):
    """A provider's answer has another form than its dialect says."""


def parsed_object(data: bytes) -> Mapping[str, Any]:
    """Parses `data`, which must be one JSON object; halves of characters in it cannot be told and are replaced.

    Raises:
        MalformedAnswerError: It is not.
    """
    try:
        return as_object(orjson.loads(data))
    except orjson.JSONDecodeError as error:
        if "surrogate in string" not in error.msg or len(data) > _REPAIRED_BYTES:
            raise MalformedAnswerError("no JSON") from error
    try:
        return as_object(orjson.loads(without_lone_surrogates(data)))
    except orjson.JSONDecodeError as error:
        raise MalformedAnswerError("no JSON") from error


def as_object(value: Any) -> Mapping[str, Any]:
    """`value` as an object; null counts as an empty one."""
    if type(value) in _OBJECT:
        return value
    if value is None:
        return _NOTHING
    raise MalformedAnswerError("no object where one is expected")


def as_list(value: Any) -> Sequence[Any]:
    """`value` as a list; null counts as an empty one."""
    if type(value) in _LIST:
        return value
    if value is None:
        return ()
    raise MalformedAnswerError("no list where one is expected")


def as_text(value: Any) -> str:
    """`value` as text; null counts as empty."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    raise MalformedAnswerError("no text where one is expected")


def as_count(value: Any) -> int:
    """`value` as a whole number from 0 to 10^12; null counts as 0.

    What is above is no count that a provider means, and what it would cost might not fit into the ledger.
    """
    if type(value) is int and 0 <= value <= _COUNT_CAP:
        return value
    if value is None:
        return 0
    raise MalformedAnswerError("no count where one is expected")
