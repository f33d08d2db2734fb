"""Words for people from the values of the contracts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.timestamp_pb2 import Timestamp

PROMISES: Mapping[str, str] = {
    "first_token_p50_ms": "first token, median",
    "first_token_p95_ms": "first token, 95 %",
    "tokens_per_second": "tokens a second",
    "availability_ppm": "availability",
}
"""The guarantees of contracts, by their names there."""


def enum_word(kind: EnumDescriptor, value: int) -> str:
    """Return a value without the prefix that all values share, in small letters: `available`, `not configured`."""
    known = kind.values_by_number.get(value)
    if known is None:  # a newer server
        return f"unknown ({value})"
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return known.name.removeprefix(prefix).replace("_", " ").lower()


def broken_promises(names: Iterable[str]) -> str:
    """Return what of its contract a service does not keep: `breaks its promise of availability`; empty for nothing."""
    listed = " and ".join(PROMISES.get(name, name) for name in names)
    return f"breaks its promise of {listed}" if listed else ""


def counted(number: int, noun: str) -> str:
    """Return a number with its noun, which takes an `s` in the plural: `1 event`, `2 events`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def when(message: Timestamp, zone: tzinfo | None = None) -> str:
    """Return a time for people in `zone`, by default that of this machine; empty for one that is not set."""
    if not message.seconds and not message.nanos:
        return ""
    return moment(message, zone).strftime("%Y-%m-%d %H:%M:%S")


def moment(message: Timestamp, zone: tzinfo | None = None) -> datetime:
    """Return a time in `zone`, by default that of this machine."""
    return datetime.fromtimestamp(message.ToNanoseconds() / 1e9, tz=zone).astimezone(zone)
