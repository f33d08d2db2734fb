"""How many values a document may have before it is parsed."""

from __future__ import annotations

import json

import pytest

from shared.json_values import MOST_VALUES, has_too_many_values

MANY = b"," * (MOST_VALUES + 1)
TEXT = 'a "b" \\ c, [d] {e}\\'


@pytest.mark.parametrize(
    ("document", "too_many"),
    [
        (b"[" + b",".join([b"1"] * MOST_VALUES) + b"]", False),
        (b"[" + b",".join([b"1"] * (MOST_VALUES + 1)) + b"]", True),
        (b"[" * (MOST_VALUES + 1), True),
        (b'{"a":' * (MOST_VALUES + 1), True),
        (json.dumps([TEXT] * (MOST_VALUES - 1)).encode(), False),
        (json.dumps([TEXT] * (MOST_VALUES + 1)).encode(), True),
        (b'"' + MANY + b'"', False),
        (rb'"\\"' + MANY, True),
        (rb'"\"' + MANY + b'"', False),
    ],
)
def test_marks_outside_of_texts_are_counted(document: bytes, too_many: bool) -> None:
    assert has_too_many_values(document) is too_many


@pytest.mark.timeout(5)
@pytest.mark.parametrize("text", [b'"' + b'\\"' * 500_000, b'"x' * 500_001, b'""' * 500_000])
def test_texts_without_an_end_cost_their_length_alone(text: bytes) -> None:
    assert has_too_many_values(MANY + text)
