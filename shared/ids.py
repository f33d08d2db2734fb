"""Identifiers: UUIDv7 (RFC 9562), so that ids sort by the time they were made."""

from __future__ import annotations

from collections.abc import Callable

import uuid_utils

IdSource = Callable[[], str]
"""Makes one new identifier a call."""


def new_id() -> str:
    """Return a new UUIDv7 in its canonical text form, 36 characters."""
    return str(uuid_utils.uuid7())
