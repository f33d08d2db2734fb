"""Arguments: one JSON object, parsed once, within limits."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_executor.domain.arguments import MAX_DEPTH, MAX_VALUES, canonical, parse_arguments
from tool_executor.domain.tool_call import ToolFailure, ToolStatus

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("text", ["", "  \n", "{}"])
def test_no_arguments_are_an_empty_object(text: str) -> None:
    assert parse_arguments(text) == {}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[1]", "one JSON object"),
        ("3", "one JSON object"),
        ("null", "one JSON object"),
        ('{"a": }', "line 1, column 7"),
        ('{"a": 1', "line 1"),
        ('{"a": 1} {"b": 2}', "Extra data"),
        ('{"a": 1, "a": 2}', "'a' stands in them twice"),
        ('{"x": {"deep": 1, "deep": 2}}', "'deep' stands in them twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "-Infinity"),
        ('{"a": ' + "9" * 5000 + "}", "too many digits"),
        ('{"a":' * 40 + "1" + "}" * 40, f"deeper than {MAX_DEPTH}"),
        ('{"a":' + "[" * 100_000 + "]" * 100_000 + "}", f"deeper than {MAX_DEPTH}"),
        (json.dumps({"a": list(range(MAX_VALUES + 1))}), f"more than {MAX_VALUES}"),
    ],
    ids=range(14),
)
def test_what_is_not_one_bounded_object_is_refused_in_words(text: str, told: str) -> None:
    with pytest.raises(ToolFailure) as caught:
        parse_arguments(text)
    assert caught.value.status is ToolStatus.INVALID_ARGUMENTS
    assert caught.value.reason == "ARGUMENTS_MALFORMED"
    assert told in caught.value.summary


def test_half_a_surrogate_pair_is_refused() -> None:
    with pytest.raises(ToolFailure, match="surrogate"):
        canonical(parse_arguments(r'{"a": "\ud800"}'))


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=5))
def test_every_object_within_the_limits_is_read_as_it_was_written(value: dict[str, object]) -> None:
    assert parse_arguments(json.dumps(value)) == value


def test_canonical_text_does_not_depend_on_order_or_spacing() -> None:
    assert canonical(parse_arguments('{"b": 1,   "a": [1, 2]}')) == canonical(parse_arguments('{"a":[1,2],"b":1}'))
    assert canonical({"a": [1, 2]}) != canonical({"a": [2, 1]})
