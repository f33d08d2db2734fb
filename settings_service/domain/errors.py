"""The reasons that this service gives, each with its error."""

from __future__ import annotations

from collections.abc import Iterable

from shared.errors import (
    AlreadyExists,
    FieldViolation,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    StaleWrite,
    Unauthenticated,
)


def unknown_path(path: str, known: Iterable[str]) -> InvalidInput:
    """Return the error for a mask path that names no setting."""
    return InvalidInput(
        "SETTING_UNKNOWN",
        f"There is no setting '{path}'. There are: {', '.join(known)}.",
        violations=[FieldViolation("update_mask", f"names the unknown path '{path}'")],
    )


def empty_mask() -> InvalidInput:
    """Return the error for an update that names nothing to change."""
    return InvalidInput(
        "MASK_EMPTY",
        "Name at least one setting in update_mask, for example agent.default_model.",
        violations=[FieldViolation("update_mask", "names no path")],
    )


def invalid_value(path: str, why: str) -> InvalidInput:
    """Return the error for a value that a setting cannot have."""
    return InvalidInput("SETTING_INVALID", f"{path} {why}.", violations=[FieldViolation(f"config.{path}", why)])


def stale_etag() -> StaleWrite:
    """Return the error for an update of a configuration that has changed since it was read."""
    return StaleWrite("ETAG_STALE", "The configuration has changed since you read it. Read it again, then update.")


def request_id_reused() -> AlreadyExists:
    """Return the error for a request id that was used for another change."""
    return AlreadyExists("REQUEST_ID_REUSED", "This request_id was used for another change. Use a new one.")


def unknown_tool(name: str) -> NotFound:
    """Return the error for a tool that does not exist."""
    return NotFound(
        "TOOL_UNKNOWN", f"There is no tool '{name}'. `nexus tools list` shows them.", metadata={"tool": name}
    )


def unknown_key() -> Unauthenticated:
    """Return the error for a key that is not known; it does not say whether it ever was."""
    return Unauthenticated("KEY_UNKNOWN", "The API key is not known or was revoked.")


def roles_invalid(why: str) -> PreconditionFailed:
    """Return the error for a role file that cannot be used."""
    return PreconditionFailed("ROLES_INVALID", f"The role file cannot be used: {why}.")
