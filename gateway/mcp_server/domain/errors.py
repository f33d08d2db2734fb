"""Reasons of the MCP server's own errors; each belongs to one class of the taxonomy."""

from __future__ import annotations

from enum import StrEnum

from shared.errors import Forbidden, InvalidInput, NexusError, NotFound, QuotaExceeded, UpstreamDown


class Reason(StrEnum):
    """Why a request is refused, or a call gave nothing."""

    HOST_FORBIDDEN = "HOST_FORBIDDEN"
    ORIGIN_FORBIDDEN = "ORIGIN_FORBIDDEN"
    PATH_UNKNOWN = "PATH_UNKNOWN"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    TOO_MANY_VALUES = "TOO_MANY_VALUES"
    TOO_MANY_SESSIONS = "TOO_MANY_SESSIONS"
    SESSION_UNKNOWN = "SESSION_UNKNOWN"
    ARGUMENTS_INVALID = "ARGUMENTS_INVALID"
    RESOURCE_UNKNOWN = "RESOURCE_UNKNOWN"
    ARTIFACT_TOO_LARGE = "ARTIFACT_TOO_LARGE"
    ARTIFACT_CHANGED = "ARTIFACT_CHANGED"
    RUN_LOST = "RUN_LOST"


_KINDS: dict[Reason, type[NexusError]] = {
    Reason.HOST_FORBIDDEN: Forbidden,
    Reason.ORIGIN_FORBIDDEN: Forbidden,
    Reason.PATH_UNKNOWN: NotFound,
    Reason.METHOD_NOT_ALLOWED: InvalidInput,
    Reason.TOO_MANY_VALUES: InvalidInput,
    Reason.TOO_MANY_SESSIONS: QuotaExceeded,
    Reason.SESSION_UNKNOWN: NotFound,
    Reason.ARGUMENTS_INVALID: InvalidInput,
    Reason.RESOURCE_UNKNOWN: NotFound,
    Reason.ARTIFACT_TOO_LARGE: InvalidInput,
    Reason.ARTIFACT_CHANGED: UpstreamDown,
    Reason.RUN_LOST: UpstreamDown,
}


def failure(reason: Reason, message: str) -> NexusError:
    """Return the error of `reason`."""
    return _KINDS[reason](reason, message)
