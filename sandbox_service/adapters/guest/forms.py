"""Forms of a value: what a result on the channel consists of."""

from __future__ import annotations

Form = tuple[str, bytes]
"""Its media type and its bytes; UTF-8 unless it is an image."""

MAX_FORM_BYTES = 768 << 10
"""Longest form."""
_MAX_FORMS_BYTES = 1000 << 10


def text_form(kind: str, data: str) -> Form:
    """Return a form that is text."""
    return kind, data.encode("utf-8", "replace")


def image_form(data: bytes) -> Form:
    """Return a form that is a PNG image."""
    return "image/png", data


def within_limits(forms: list[Form]) -> list[Form]:
    """Return `forms` without those that are too long for a frame, with a note in text/plain about each."""
    kept: list[Form] = []
    room = _MAX_FORMS_BYTES
    notes: list[str] = []
    for form in sorted(forms, key=lambda form: len(form[1])):
        kind, data = form
        if len(data) <= min(MAX_FORM_BYTES, room):
            kept.append(form)
            room -= len(data)
        else:
            notes.append(f"[{kind} of {len(data)} bytes left out: too large]")
    remaining = [form for form in forms if form in kept]
    if notes:
        if not remaining or remaining[0][0] != "text/plain":
            remaining.insert(0, text_form("text/plain", ""))
        shown = "\n".join([remaining[0][1].decode(), *notes]).lstrip("\n")
        remaining[0] = text_form("text/plain", shown)
    return remaining
