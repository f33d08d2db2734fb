"""The errors with which the tool executor refuses a call; what a tool itself says is a `ToolFailure` instead."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import FieldViolation, InvalidInput, NotFound, PreconditionFailed


def tool_unknown(name: str, near: Sequence[str]) -> NotFound:
    """Return the error of a name that no tool has; `near` are the names to show instead."""
    hint = f" Nearest: {', '.join(near)}." if near else ""
    return NotFound(
        "TOOL_UNKNOWN", f"There is no tool {name!r}.{hint}", metadata={"tool": name, "nearest": ",".join(near)}
    )


def tool_disabled(name: str) -> PreconditionFailed:
    """Return the error of a tool that the caller's organisation has switched off; says who can switch it on."""
    return PreconditionFailed(
        "TOOL_DISABLED",
        f"The tool {name!r} is disabled for your organisation. An administrator can enable it in the settings or with "
        f"`nexus tools enable {name}`.",
        metadata={"tool": name},
    )


def time_zone_unknown(name: str) -> InvalidInput:
    """Return the error of a caller's time zone that does not exist."""
    return InvalidInput(
        "TIME_ZONE_UNKNOWN",
        f"{name!r} is no IANA time zone. Use a name such as Europe/Berlin.",
        violations=[FieldViolation("time_zone", "is no IANA time zone")],
    )
