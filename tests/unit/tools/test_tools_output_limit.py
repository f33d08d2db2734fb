"""Output is cut to size and stays JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tool_executor.domain.output_limit import clip, encode, fit, is_little


def test_what_fits_is_left_as_it_is() -> None:
    assert fit({"a": "é", "b": [1]}, 100) == ('{"a":"é","b":[1]}', "")


def test_long_texts_are_cut_first_and_the_shape_stays() -> None:
    text, whole = fit({"stdout": "x" * 100_000, "exit_code": 3}, 10_000)
    found = json.loads(text)
    assert json.loads(whole) == {"stdout": "x" * 100_000, "exit_code": 3}
    assert len(text.encode()) <= 10_000
    assert found["exit_code"] == 3
    assert found["stdout"].startswith("xxx")
    assert found["stdout"].endswith("of 100000 characters]")
    assert len(found["stdout"]) > 4_000


def test_many_small_values_become_the_start_of_their_text() -> None:
    text, whole = fit({"numbers": list(range(10_000))}, 1_024)
    assert whole
    assert len(text.encode()) <= 1_024
    assert json.loads(text)["truncated_text"].startswith('{"numbers":[0,1,2')


@given(
    st.dictionaries(st.text(max_size=5), st.text(max_size=3000) | st.lists(st.integers(), max_size=200), max_size=5),
    st.integers(1_024, 4_096),
)
def test_the_limit_holds_in_bytes_and_the_result_is_json(value: dict[str, object], limit: int) -> None:
    text, whole = fit(value, limit)
    assert len(text.encode()) <= limit
    assert json.loads(whole or text) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "\ud800"])
def test_what_is_not_json_is_an_error(value: object) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - three kinds of one error
        encode({"a": value})


def test_clip_says_how_much_is_missing() -> None:
    assert clip("abc", 3) == ("abc", False)
    assert clip("abcdef", 3) == ("abc… [cut: 3 of 6 characters]", True)


@pytest.mark.parametrize("value", [[1] * 12_000, dict.fromkeys(map(str, range(12_000)), 1)])
def test_many_values_are_encoded_once_and_the_same(value: object) -> None:
    whole = {"a": value}
    assert not is_little(whole)
    text, uncut = fit(whole, 4_096)
    assert uncut == json.dumps(whole, separators=(",", ":"))
    assert len(text.encode()) <= 4_096
    assert list(json.loads(text)) == ["truncated_text"]


def test_texts_of_many_values_are_not_cut_again_and_again() -> None:
    text, _ = fit({"a": [""] * 11_000, "b": "x" * 100_000}, 65_536)
    assert list(json.loads(text)) == ["truncated_text"]
