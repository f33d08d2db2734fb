"""The errors with which artifacts are refused."""

from __future__ import annotations

from shared.errors import AlreadyExists, InvalidInput, NotFound, QuotaExceeded, UpstreamDown

STORAGE_FULL = "ARTIFACT_STORAGE_FULL"


def artifact_unknown(artifact_id: str) -> NotFound:
    """Return the error of an id that the organisation has no artifact of."""
    return NotFound(
        "ARTIFACT_UNKNOWN",
        f"There is no artifact {artifact_id[:64]}. `nexus artifacts list` shows what there is.",
        metadata={"artifact_id": artifact_id[:64]},
    )


def artifact_too_large(limit_bytes: int) -> InvalidInput:
    """Return the error of a file that is larger than any may be."""
    return InvalidInput(
        "ARTIFACT_TOO_LARGE",
        f"The file is larger than an artifact may be, which is {limit_bytes} bytes.",
        metadata={"limit_bytes": str(limit_bytes)},
    )


def quota_exceeded(limit_bytes: int, used_bytes: int) -> QuotaExceeded:
    """Return the error of an organisation whose artifacts would take more than its quota."""
    return QuotaExceeded(
        "ARTIFACT_QUOTA_EXCEEDED",
        f"The organisation's artifacts take {used_bytes} of {limit_bytes} bytes, and this one does not fit. Delete "
        "some with `nexus artifacts delete`.",
        metadata={"limit_bytes": str(limit_bytes), "used_bytes": str(used_bytes)},
    )


def request_reused() -> AlreadyExists:
    """Return the error of an idempotency key that stood for something else before."""
    return AlreadyExists("REQUEST_ID_REUSED", "This request id was used for something else. Choose a new one.")


def artifact_lost(artifact_id: str) -> UpstreamDown:
    """Return the error of an artifact whose bytes the storage does not have, or not all of."""
    return UpstreamDown(
        "ARTIFACT_LOST",
        f"The storage has lost bytes of the artifact {artifact_id}. Delete it, and make it again.",
        metadata={"artifact_id": artifact_id},
    )


def storage_full() -> UpstreamDown:
    """Return the error of a storage without room; nothing was changed."""
    return UpstreamDown(STORAGE_FULL, "The disk of the artifacts is full; nothing was stored. Free some space.")


def storage_unavailable() -> UpstreamDown:
    """Return the error of a storage that cannot be used."""
    return UpstreamDown("ARTIFACT_STORAGE_UNAVAILABLE", "The storage of artifacts cannot be used; the log says why.")
