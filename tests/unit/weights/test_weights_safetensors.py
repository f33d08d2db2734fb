from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.weights.errors import WeightsError
from mesh.weights.minilm_gguf import phantom_space
from mesh.weights.safetensors_file import read_tensors

DTYPES = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}


def packed(tensors: dict[str, tuple[str, list[int]]], *, metadata: bool = True) -> bytes:
    """A safetensors file whose tensors count up from 0."""
    header: dict = {"__metadata__": {"format": "pt"}} if metadata else {}
    data = b""
    for name, (dtype, shape) in tensors.items():
        raw = np.arange(int(np.prod(shape)), dtype=DTYPES[dtype]).tobytes()
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    return with_header(header, data)


def with_header(header: object, data: bytes = b"") -> bytes:
    raw = json.dumps(header).encode()
    return len(raw).to_bytes(8, "little") + raw + data


SHAPE = st.lists(st.integers(0, 4), max_size=3)


@given(st.dictionaries(st.text(min_size=1, max_size=5), st.tuples(st.sampled_from(list(DTYPES)), SHAPE), max_size=5))
def test_tensors_come_back_as_they_were_written(tensors: dict[str, tuple[str, list[int]]]) -> None:
    read = {tensor.name: tensor.values for tensor in read_tensors(packed(tensors))}
    assert set(read) == set(tensors)
    for name, (dtype, shape) in tensors.items():
        assert read[name].dtype == np.dtype(DTYPES[dtype])
        assert list(read[name].shape) == shape
        assert np.array_equal(read[name].ravel(), np.arange(read[name].size))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"1234567",
        (5).to_bytes(8, "little") + b"{}",
        (2**63).to_bytes(8, "little") + b"{}",
        (1).to_bytes(8, "little") + b"{",
        with_header([1]),
        with_header({"t": 5}),
        with_header({"t": {"dtype": "BF16", "shape": [], "data_offsets": [0, 2]}}, b"12"),
        with_header({"t": {"dtype": "F32", "shape": [1]}}, b"1234"),
        with_header({"t": {"dtype": "F32", "shape": [1], "data_offsets": [0]}}, b"1234"),
        with_header({"t": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}}, b"1234"),
        with_header({"t": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}, b"1234"),
        with_header({"t": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}, b"1234"),
        with_header({"t": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}, b"1234"),
    ],
)
def test_what_is_damaged_is_refused(data: bytes) -> None:
    with pytest.raises(WeightsError) as caught:
        list(read_tensors(data))
    assert caught.value.remedy


@given(st.integers(0, 400), st.integers(0, 255))
def test_any_damage_is_refused_or_read(place: int, value: int) -> None:
    data = bytearray(packed({"a": ("F32", [2, 2]), "b": ("I64", [3])}))
    data[place % len(data)] = value
    try:
        count = len(list(read_tensors(bytes(data))))
    except WeightsError:
        count = 0
    assert count in (0, 1, 2)


@pytest.mark.parametrize(
    ("piece", "form"),
    [("play", "\u2581play"), ("##ing", "ing"), ("[CLS]", "[CLS]"), ("[", "\u2581["), ("#", "\u2581#")],
)
def test_pieces_in_llama_cpps_form(piece: str, form: str) -> None:
    assert phantom_space(piece) == form
