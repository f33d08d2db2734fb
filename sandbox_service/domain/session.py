"""A session: an interpreter that keeps its variables and files between cells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.program import Language


@dataclass(frozen=True, slots=True)
class Session:
    """A session as its owner sees it.

    Attributes:
        session_id: UUID version 4: nobody can guess it.
        language: of its cells.
        image: the image's name.
        image_digest: the image's digest.
        create_time: when it was opened, aware.
        expire_time: when it is closed if nothing happens before, aware.
        cells: cells that have run.
        busy: whether a cell runs.
        limits: granted.
    """

    session_id: str
    language: Language
    image: str
    image_digest: str
    create_time: datetime
    expire_time: datetime
    cells: int
    busy: bool
    limits: RunLimits


@dataclass(frozen=True, slots=True)
class SessionOrder:
    """A session to open.

    Attributes:
        language: of its cells.
        limits: wanted, 0 for the default of each.
        image: name or digest; empty for the base image.
        idle_timeout_s: seconds without a call after which it is closed; 0 for the default.
        egress: wanted `host:port` targets.
        request_id: idempotency key; empty for none.
    """

    language: Language
    limits: RunLimits
    image: str = ""
    idle_timeout_s: float = 0.0
    egress: tuple[str, ...] = ()
    request_id: str = ""
