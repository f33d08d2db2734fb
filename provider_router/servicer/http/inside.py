"""Refuses addresses that lead into somebody's own network."""

from __future__ import annotations

from typing import Any, cast

from provider_router.servicer.http.fields import invalid
from provider_router.servicer.http.surface import Wanted
from shared.errors import FieldViolation, InvalidInput


def led_inside(wanted: Wanted) -> InvalidInput:
    """The error for `wanted.inside`, for the caller to raise: a provider is asked to fetch what is not everybody's."""
    body = wanted.request.body
    path = (_path_to(wanted.inside, body.fields) if body else None) or ""
    why = "is an address of a private network: name a model that the operator has there, or send the bytes"
    return invalid([FieldViolation(path.removeprefix("."), why)])


def _path_to(text: str, value: Any) -> str | None:
    """Where in `value` the first text is that is `text`; None where there is none."""
    if value == text:
        return ""
    steps: list[tuple[str, Any]] = []
    if isinstance(value, list):
        steps = [(f"[{index}]", each) for index, each in enumerate(cast("list[Any]", value))]
    elif isinstance(value, dict):
        steps = [(f".{name}", each) for name, each in cast("dict[str, Any]", value).items()]
    for step, inner in steps:
        found = _path_to(text, inner)
        if found is not None:
            return step + found
    return None
