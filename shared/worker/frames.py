"""What a pool and its processes say to each other: JSON objects and bytes, each after its length in four bytes."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any, cast

LENGTH = struct.Struct(">I")
Message = Mapping[str, Any]
READY: Message = {"ready": True}
"""What a process says first."""


def framed(payload: bytes) -> bytes:
    """Return `payload` after its length."""
    return LENGTH.pack(len(payload)) + payload


def encoded(message: Message) -> bytes:
    """Return `message` as the payload of a frame."""
    return json.dumps(message, separators=(",", ":")).encode()


def decoded(payload: bytes) -> Message:
    """Return the message in a frame's payload.

    Raises:
        ValueError: when it is no JSON object.
    """
    message = json.loads(payload)
    if not isinstance(message, dict):
        raise ValueError("a message is an object")  # noqa: TRY004
    return cast("Message", message)
