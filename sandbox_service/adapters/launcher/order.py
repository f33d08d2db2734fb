"""The tiny protocol between the service and the launcher: lines of `key=value` with a length cap.

The service sends one order: 4 bytes with its length, then its lines. The launcher answers with one line a message:
its first word is the message's name, the rest are `key=value` pairs without spaces. Closing the connection is the
order to kill. JSON would say the same, but importing it costs the launcher 6 ms a run.
"""

from __future__ import annotations

MAX_ORDER_BYTES = 64 << 10
MAX_MESSAGE_BYTES = 4 << 10
LENGTH_BYTES = 4

Order = dict[str, list[str]]
"""Each key with its values in order; a key may stand more than once."""


def encode_order(pairs: list[tuple[str, str]]) -> bytes:
    """Return the bytes of an order.

    Raises:
        ValueError: when a key or value cannot be said in a line, or all of it is longer than the cap.
    """
    for key, value in pairs:
        if "\n" in key + value or "=" in key:
            raise ValueError(f"{key!r} cannot be put into an order")
    body = "".join(f"{key}={value}\n" for key, value in pairs).encode("utf-8", "surrogateescape")
    if len(body) > MAX_ORDER_BYTES:
        raise ValueError("the order is too long")
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def decode_order(body: bytes) -> Order:
    """Return the order in `body`, which comes without its length."""
    order: Order = {}
    # Not splitlines, which takes more characters than the newline for an end.
    for line in body.decode("utf-8", "surrogateescape").removesuffix("\n").split("\n") if body else ():
        key, _, value = line.partition("=")
        order.setdefault(key, []).append(value)
    return order


def encode_message(name: str, **values: int | str) -> bytes:
    """Return one message of the launcher; spaces and newlines in values become underscores."""
    words = [name, *(f"{key}={'_'.join(str(value).split())}" for key, value in values.items())]
    return (" ".join(words)[: MAX_MESSAGE_BYTES - 1] + "\n").encode("utf-8", "replace")


def decode_message(line: str) -> tuple[str, dict[str, str]]:
    """Return the name and the values of one message."""
    name, *pairs = line.split()
    values: dict[str, str] = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        values[key] = value
    return name, values
