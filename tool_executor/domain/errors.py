"""The errors with which the tool executor refuses a call; what a tool itself says is a `ToolFailure` instead."""

from __future__ import annotations

from collections.abc import Sequence

from shared.errors import FieldViolation, Forbidden, InvalidInput, NotFound, PreconditionFailed
from tool_executor.domain.tool_decision import ToolDecision

_POLICIES_CHARS = 1_000


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


def tool_blocked(name: str, decision: ToolDecision) -> Forbidden:
    """Return the error of a call that `decision` refuses; names what decided."""
    return Forbidden(
        "TOOL_BLOCKED",
        f"The tool {name!r} must not be called here. {decision.reason}",
        metadata={"tool": name, "policies": ",".join(decision.policies)[:_POLICIES_CHARS]},
    )


def dry_run_unsupported(name: str) -> PreconditionFailed:
    """Return the error of a dry run of a tool that cannot tell what it would do."""
    return PreconditionFailed(
        "DRY_RUN_UNSUPPORTED",
        f"The tool {name!r} cannot tell what a call would do without doing it. Call it without dry_run.",
        metadata={"tool": name},
    )


def time_zone_unknown(name: str) -> InvalidInput:
    """Return the error of a caller's time zone that does not exist."""
    return InvalidInput(
        "TIME_ZONE_UNKNOWN",
        f"{name!r} is no IANA time zone. Use a name such as Europe/Berlin.",
        violations=[FieldViolation("time_zone", "is no IANA time zone")],
    )
