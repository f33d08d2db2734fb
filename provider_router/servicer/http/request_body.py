"""Reads the JSON bodies of requests, which strangers write."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, TypeAlias

import orjson

from provider_router.servicer.http.fields import invalid
from shared.errors import FieldViolation, InvalidInput
from shared.http_server.exchange import Request

MOST_LEVELS = 100
"""Most objects and lists within each other; JSON writers of Python give up at 254."""
_JSON = "application/json"
# An object or a list takes fifty times the memory that it takes in the body. So the marks of structure are bounded,
# and the body must be larger than anybody's chat before the ones outside of texts are told apart.
_UNSUSPICIOUS_MARKS = 50_000
_UNSAID_BYTES = 4 * 1024 * 1024
_MOST_MARKS = 200_000
# What is smaller is read in some milliseconds.
_QUICK_BYTES = 1_000_000
_LARGE = str(_QUICK_BYTES)
_Container: TypeAlias = "dict[str, Any] | list[Any]"
_OBJECT = (dict,)


def check_content_type(headers: Mapping[str, str]) -> None:
    """Checks that the body is said to be plain JSON.

    Raises:
        InvalidInput: MEDIA_TYPE_UNSUPPORTED.
    """
    if headers.get("content-type") == _JSON and "content-encoding" not in headers:
        return
    kind, _, parameters = headers.get("content-type", "").partition(";")
    if kind.strip().lower() != _JSON or (parameters and not _is_utf8(parameters)):
        raise InvalidInput("MEDIA_TYPE_UNSUPPORTED", "Send the body as JSON: `content-type: application/json`.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidInput("MEDIA_TYPE_UNSUPPORTED", "Send the body as it is, without a content-encoding.")


def most_of_body(headers: Mapping[str, str], most_bytes: int) -> int:
    """The most bytes that the body of a request may have.

    They are few where its caller does not say, so that a key whose callers send in chunks may have some calls open.
    """
    said = headers.get("content-length", "")
    return min(int(said), most_bytes) if said.isdecimal() else min(_UNSAID_BYTES, most_bytes)


def is_large(headers: Mapping[str, str]) -> bool:
    """Whether the body of a request may have a megabyte or more, so that others are to work between its steps."""
    return len(headers.get("content-length", _LARGE)) >= len(_LARGE)


async def read_object(request: Request, most_bytes: int) -> Mapping[str, Any]:
    """The JSON object in the body.

    Raises:
        InvalidInput: BODY_TOO_LARGE, BODY_TOO_SLOW, REQUEST_MALFORMED, REQUEST_INVALID.
    """
    raw = await request.body(most_of_body(request.headers, most_bytes))
    if len(raw) > _UNSUSPICIOUS_MARKS and await _is_bomb(raw):
        raise InvalidInput("BODY_TOO_LARGE", f"The body has more than {_MOST_MARKS} values.")
    try:
        fields: Any = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        if "surrogate in string" in error.msg:
            raise _half_a_character(error.pos) from error
        # Its message holds a position and nothing of the body.
        raise InvalidInput("REQUEST_MALFORMED", f"The body is not JSON: {error.msg} at byte {error.pos}.") from error
    if type(fields) not in _OBJECT:
        raise InvalidInput("REQUEST_MALFORMED", "The body must be a JSON object.")
    await _give_way(raw)
    # What opens less often is not deeper.
    if raw.count(b"{") + raw.count(b"[") > MOST_LEVELS:
        _check_depth(fields)
        await _give_way(raw)
    return fields


def _half_a_character(position: int) -> InvalidInput:
    return InvalidInput(
        "REQUEST_MALFORMED",
        f"The body has half of a character, a lone surrogate such as `\\ud800`, at byte"
        f" {position}: leave it out, or send its other half too.",
    )


async def _give_way(raw: bytes) -> None:
    """Lets others work, between two steps each of which takes longer the larger the body is."""
    if len(raw) > _QUICK_BYTES:
        await asyncio.sleep(0)


def _check_depth(body: _Container) -> None:
    """Checks that `body` is not too deep for those that walk through it later.

    Raises:
        InvalidInput: REQUEST_INVALID.
    """
    level = [body]
    for _ in range(MOST_LEVELS):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise invalid([FieldViolation("", f"must not be nested more than {MOST_LEVELS} levels deep")])


async def _is_bomb(raw: bytes) -> bool:
    """Whether there are too many marks outside of texts. Takes as long as the body is large, whatever is in it."""
    marks = _marks(raw)
    await _give_way(raw)
    if marks <= _UNSUSPICIOUS_MARKS:
        return False
    # Without its escapes, a text goes from one quotation mark to the next.
    plain = raw.replace(b"\\\\", b"")
    await _give_way(raw)
    plain = plain.replace(b'\\"', b"")
    await _give_way(raw)
    # No mark of structure stands for more than two texts, a name and a value.
    if plain.count(b'"') > 4 * _MOST_MARKS:
        return True
    outside = b"".join(plain.split(b'"')[::2])
    await _give_way(raw)
    return _marks(outside) > _MOST_MARKS


def _marks(raw: bytes) -> int:
    return raw.count(b",") + raw.count(b"[") + raw.count(b"{")


def _is_utf8(parameters: str) -> bool:
    name, _, value = parameters.strip().partition("=")
    return name.strip().lower() != "charset" or value.strip(' "').lower() in ("utf-8", "utf8")
