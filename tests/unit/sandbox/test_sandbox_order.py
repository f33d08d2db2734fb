from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox_service.adapters.launcher.order import (
    LENGTH_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_ORDER_BYTES,
    decode_message,
    decode_order,
    encode_message,
    encode_order,
)

lines = st.text(st.characters(exclude_characters="\n", codec="utf-8"))
keys = st.from_regex(r"[a-z_]{1,12}", fullmatch=True)


@given(st.lists(st.tuples(keys, lines), max_size=20))
def test_an_order_is_read_as_it_was_written(pairs: list[tuple[str, str]]) -> None:
    encoded = encode_order(pairs)
    body = encoded[LENGTH_BYTES:]
    assert int.from_bytes(encoded[:LENGTH_BYTES], "big") == len(body)
    expected: dict[str, list[str]] = {}
    for key, value in pairs:
        expected.setdefault(key, []).append(value)
    assert decode_order(body) == expected


@pytest.mark.parametrize(
    "pairs", [[("a", "b\nmode=root")], [("a\nb", "")], [("a=b", "")], [("a", "x" * MAX_ORDER_BYTES)]]
)
def test_what_cannot_be_said_in_a_line_is_refused(pairs: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError, match="order"):
        encode_order(pairs)


@given(st.text(), st.integers())
def test_a_message_stays_one_line(detail: str, number: int) -> None:
    encoded = encode_message("failed", errno=number, detail=detail)
    assert encoded.count(b"\n") == 1
    assert encoded.endswith(b"\n")
    name, values = decode_message(encoded.decode("utf-8"))
    assert name == "failed"
    assert values["errno"] == str(number)


def test_a_long_message_is_cut() -> None:
    assert len(encode_message("failed", detail="x" * 10_000)) <= MAX_MESSAGE_BYTES
