"""Finds the forms in which a value can be looked at."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import cast

from sandbox_service.adapters.guest.figures import figure_forms, is_figure
from sandbox_service.adapters.guest.forms import Form, image_form, text_form, within_limits
from sandbox_service.adapters.guest.process import say

_MAX_TEXT = 64 << 10


def forms_of(value: object) -> list[Form]:
    """Return the forms of `value`, the richest last; the first is always text/plain.

    Raises:
        BaseException: what the value's `__repr__` raises.
    """
    if is_figure(value):
        return figure_forms(value)
    forms = [text_form("text/plain", _cut(repr(value)))]
    structure = _json_of(value)
    if structure is not None:
        forms.append(text_form("application/json", structure))
    html = _asked(value, "_repr_html_")
    if isinstance(html, str):
        forms.append(text_form("text/html", html))
    image = _asked(value, "_repr_png_")
    if isinstance(image, str):  # some libraries encode it themselves
        image = _decoded(image)
    if isinstance(image, bytes):
        forms.append(image_form(image))
    return within_limits(forms)


def _cut(text: str) -> str:
    if len(text) <= _MAX_TEXT:
        return text
    return f"{text[:_MAX_TEXT]}\n[{len(text) - _MAX_TEXT} characters left out]"


def _decoded(image: str) -> bytes | None:
    """Return an image that is written as base64; None when it is not."""
    try:
        return base64.b64decode(image)
    except (binascii.Error, ValueError):
        say("_repr_png_ gave no base64\n")
        return None


def _json_of(value: object) -> str | None:
    """Return a plain structure, or what `_repr_json_` gives, as JSON; None when there is no such form."""
    structure = value if type(value) in {dict, list} else _asked(value, "_repr_json_")
    if isinstance(structure, tuple):  # (data, metadata)
        structure = cast("tuple[object, ...]", structure)[0] if structure else None
    if structure is None:
        return None
    try:
        return json.dumps(structure, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None


def _asked(value: object, name: str) -> object:
    """Return what a value's method gives; None when it has none, wants to give none, or fails."""
    if isinstance(value, type):
        return None
    method = cast("Callable[[], object] | None", getattr(type(value), name, None) and getattr(value, name, None))
    if not callable(method):
        return None
    try:
        return method()
    except Exception as error:  # noqa: BLE001  the value is the program's
        say(f"{type(value).__name__}.{name} failed: {type(error).__name__}: {error}\n")
        return None
