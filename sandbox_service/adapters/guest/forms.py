"""Forms of a value: what a result on the channel consists of."""

from __future__ import annotations

import base64
import json

Form = dict[str, object]
"""`type`, `data`, and `b64` when the data is base64."""

MAX_FORM_BYTES = 768 << 10
"""Longest form, as it stands in a frame."""
_MAX_FORMS_BYTES = 1000 << 10


def text_form(kind: str, data: str) -> Form:
    """Return a form that is text."""
    return {"type": kind, "data": data}


def image_form(data: bytes) -> Form:
    """Return a form that is a PNG image."""
    return {"type": "image/png", "data": base64.b64encode(data).decode("ascii"), "b64": True}


def within_limits(forms: list[Form]) -> list[Form]:
    """Return `forms` without those that are too long for a frame, with a note in text/plain about each."""
    sizes = [len(json.dumps(form["data"], ensure_ascii=False).encode("utf-8", "replace")) for form in forms]
    order = sorted(range(len(forms)), key=sizes.__getitem__)
    kept: set[int] = set()
    room = _MAX_FORMS_BYTES
    notes: list[str] = []
    for index in order:
        if sizes[index] <= min(MAX_FORM_BYTES, room):
            kept.add(index)
            room -= sizes[index]
        else:
            notes.append(f"[{forms[index]['type']} of {sizes[index]} bytes left out: too large]")
    remaining = [form for index, form in enumerate(forms) if index in kept]
    if notes:
        if not remaining or remaining[0]["type"] != "text/plain":
            remaining.insert(0, text_form("text/plain", ""))
        shown = "\n".join([str(remaining[0]["data"]), *notes]).lstrip("\n")
        remaining[0] = text_form("text/plain", shown)
    return remaining
