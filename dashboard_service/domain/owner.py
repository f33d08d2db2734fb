"""Whose data it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """A person inside an organisation. Nothing is ever read or written without both ids."""

    org_id: str
    user_id: str
