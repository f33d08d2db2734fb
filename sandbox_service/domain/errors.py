"""The reasons that the sandbox gives, each with its error."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_service.domain.isolation import IsolationReport
from shared.errors import FieldViolation, Internal, InvalidInput, PreconditionFailed, QuotaExceeded

RETRY_AFTER_S = 1.0


def program_invalid(violations: Sequence[FieldViolation]) -> InvalidInput:
    """Return the error of a program that no interpreter would take."""
    return InvalidInput("PROGRAM_INVALID", f"The program cannot be run: {_said(violations)}.", violations=violations)


def limit_out_of_range(violations: Sequence[FieldViolation]) -> InvalidInput:
    """Return the error of limits above the service's ceiling, or too small to run anything."""
    return InvalidInput("LIMIT_OUT_OF_RANGE", f"A limit is out of range: {_said(violations)}.", violations=violations)


def isolation_unavailable(report: IsolationReport) -> PreconditionFailed:
    """Return the error of a host that cannot isolate, with what to do about it."""
    return PreconditionFailed(
        "ISOLATION_UNAVAILABLE",
        f"This host cannot isolate untrusted code, so nothing is run. {report.remedy}",
        metadata={"backend": report.backend},
    )


def sandbox_busy() -> QuotaExceeded:
    """Return the error of a call for which there is no place, not even to wait."""
    return QuotaExceeded(
        "SANDBOX_BUSY",
        "As many programs run and wait as may. Try again in a moment.",
        retry_after_s=RETRY_AFTER_S,
    )


def run_not_started() -> Internal:
    """Return the error of a run whose isolation could not be built on a host that otherwise isolates."""
    return Internal("RUN_NOT_STARTED", "The program's isolation could not be built, or it broke off.")


def _said(violations: Sequence[FieldViolation]) -> str:
    return "; ".join(f"{violation.field} {violation.description}" for violation in violations)
