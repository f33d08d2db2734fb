"""Time zones by their IANA names."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def zone_of(name: str) -> ZoneInfo | None:
    """Return the zone called `name`, for example `Europe/Berlin`; UTC for an empty name, None for an unknown one."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # A folder of the database ("Europe") is an OSError, a name that leaves it ("../x") a ValueError.
        return None
