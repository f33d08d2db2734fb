"""Reads the safetensors format with numpy alone.

The format (safetensors, "Format" section of its README): 8 bytes little-endian length N, N bytes of JSON
that map a tensor's name to `dtype`, `shape` and `data_offsets` [begin, end) relative to the end of the
JSON, then the raw data.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from mesh.weights.errors import WeightsError

_HEADER_CAP_BYTES = 16 * 1024 * 1024
_DTYPES: dict[str, str] = {"F32": "<f4", "F16": "<f2", "I64": "<i8"}
_REMEDY = "Delete the weights directory and run `python -m mesh.weights` again."


@dataclass(frozen=True)
class Tensor:
    """One tensor: its name and its values, in row-major order."""

    name: str
    values: npt.NDArray[Any]


def read_tensors(data: bytes) -> Iterator[Tensor]:
    """Yields the tensors of a safetensors file, in the order of its header, without copying.

    Args:
        data: The whole file.

    Raises:
        WeightsError: The bytes are not a well-formed safetensors file.
    """
    header, start = _header(data)
    for name, entry in header.items():
        if name != "__metadata__":
            yield Tensor(name, _values(data, start, name, entry))


def _header(data: bytes) -> tuple[dict[str, Any], int]:
    length = int.from_bytes(data[:8], "little")
    if len(data) < 8 or length > min(_HEADER_CAP_BYTES, len(data) - 8):
        raise WeightsError("The safetensors header is cut or too long.", _REMEDY)
    try:
        header = json.loads(data[8 : 8 + length])
    except ValueError as error:
        raise WeightsError("The safetensors header is not JSON.", _REMEDY) from error
    if not isinstance(header, dict):
        raise WeightsError("The safetensors header is not an object.", _REMEDY)
    return cast("dict[str, Any]", header), 8 + length


def _values(data: bytes, start: int, name: str, entry: Any) -> npt.NDArray[Any]:
    try:
        dtype = np.dtype(_DTYPES[entry["dtype"]])
        shape = [int(size) for size in entry["shape"]]
        begin, end = (int(offset) for offset in entry["data_offsets"])
    except (KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"Tensor {name!r} has a malformed safetensors entry.", _REMEDY) from error
    count = math.prod(shape)
    inside = 0 <= begin <= end <= len(data) - start
    if not inside or min(shape, default=0) < 0 or count * dtype.itemsize != end - begin:
        raise WeightsError(f"Tensor {name!r} does not fit its data.", _REMEDY)
    return np.frombuffer(data, dtype=dtype, count=count, offset=start + begin).reshape(shape)
