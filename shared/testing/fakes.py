"""Fakes of the ports that every service has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shared.auth.principal import Principal
from shared.errors import Unauthenticated


class FakeClock:
    """A clock that stands still until it is moved. Starts on Friday 2026-11-20 at 12:00 UTC."""

    def __init__(self, start: datetime = datetime(2026, 11, 20, 12, tzinfo=UTC)) -> None:
        self._now = start
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Return the wall time."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds since the fake start."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Move both clocks on."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds


class SequenceIds:
    """Makes ids `<prefix>-0001`, `<prefix>-0002`, ..., which sort by the order in which they were made."""

    def __init__(self, prefix: str = "id") -> None:
        self._prefix = prefix
        self._count = 0

    def __call__(self) -> str:
        """Return the next id."""
        self._count += 1
        return f"{self._prefix}-{self._count:04d}"


class FakeKeyDirectory:
    """Knows the keys that it was given."""

    def __init__(self, keys: dict[str, Principal] | None = None) -> None:
        self.keys = keys or {}

    async def principal_of(self, api_key: str) -> Principal:
        """Return the principal of `api_key`, or raise Unauthenticated."""
        try:
            return self.keys[api_key]
        except KeyError:
            raise Unauthenticated("KEY_UNKNOWN", "The API key is not known or was revoked.") from None
