"""The reasons that the sandbox gives, each with its error."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.domain.isolation_level import IsolationLevel
from shared.errors import (
    AlreadyExists,
    FieldViolation,
    Internal,
    InvalidInput,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
)

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


def isolation_too_weak(report: IsolationReport, least: IsolationLevel, remedy: str) -> PreconditionFailed:
    """Return the error of a host that isolates, but less than the organisation wants; `remedy` makes it stronger."""
    offered, wanted = report.level.name.lower(), least.name.lower()
    return PreconditionFailed(
        "ISOLATION_TOO_WEAK",
        f"Your organisation wants programs isolated by {wanted}, and this host offers {offered} ({report.backend}). "
        f"Nothing is run. {remedy} Or have an administrator lower `sandbox.least_isolation`.",
        metadata={"offered": offered, "wanted": wanted, "remedy": remedy},
    )


def backend_lacks(backend: str, what: str) -> PreconditionFailed:
    """Return the error of something that the backend, which the organisation's isolation asks for, does not offer."""
    return PreconditionFailed(
        "BACKEND_LACKS",
        f"The sandbox's backend `{backend}`, which your organisation's isolation asks for, does not offer {what}. "
        "Nothing is run.",
        metadata={"backend": backend, "lacks": what},
    )


def sandbox_busy(what: str, *, own: bool) -> QuotaExceeded:
    """Return the error of a call for which there is no place, not even to wait.

    Args:
        what: what it wanted a place for, in the plural.
        own: whether its organisation has all that it may have; else the installation has.
    """
    whose = "Your organisation has" if own else "This installation has"
    return QuotaExceeded(
        "SANDBOX_BUSY",
        f"{whose} as many {what} as may run and wait at a time. Try again when one has ended.",
        metadata={"what": what, "scope": "organisation" if own else "installation"},
        retry_after_s=RETRY_AFTER_S,
    )


def run_not_started() -> Internal:
    """Return the error of a run whose isolation could not be built on a host that otherwise isolates."""
    return Internal("RUN_NOT_STARTED", "The program's isolation could not be built, or it broke off.")


def egress_invalid(violations: Sequence[FieldViolation]) -> InvalidInput:
    """Return the error of targets that no program could reach."""
    return InvalidInput("EGRESS_INVALID", f"A target cannot be reached: {_said(violations)}.", violations=violations)


def egress_refused(target: str, allow_list: str) -> PreconditionFailed:
    """Return the error of a target that is not allowed; `allow_list` is where it would have to be named."""
    return PreconditionFailed(
        "EGRESS_REFUSED",
        f"Programs may not reach {target}: {allow_list} does not name it, and all that it does not name is refused.",
        metadata={"target": target, "allow_list": allow_list},
    )


def image_unknown(name: str, known: Sequence[str]) -> NotFound:
    """Return the error of an image that does not exist; `known` are the names that do."""
    return NotFound(
        "IMAGE_UNKNOWN", f"There is no such image; there are: {', '.join(known)}.", metadata={"image": name[:128]}
    )


def image_not_set_up(name: str, remedy: str) -> PreconditionFailed:
    """Return the error of an image that this host does not have ready, with why and what to do about it."""
    return PreconditionFailed("IMAGE_NOT_SET_UP", remedy, metadata={"image": name})


def sandbox_gone() -> PreconditionFailed:
    """Return the error of a sandbox that has ended in between."""
    return PreconditionFailed("SANDBOX_GONE", "What ran there has ended, and its files are gone with it.")


def file_not_found(path: str) -> NotFound:
    """Return the error of a file that is not in the workspace."""
    return NotFound("FILE_NOT_FOUND", f"There is no file {path!r} in the workspace.", metadata={"path": path})


_FILE_REASONS = {
    "not_regular": "it is no regular file",
    "linked": "it has further names (hard links)",
    "not_permitted": "its permissions forbid it",
    "no_space": "the workspace is full",
    "offset_beyond_end": "the offset lies beyond its end",
    "path_invalid": "its path leads through a link or out of the workspace",
}


def file_refused(path: str, reason: str) -> PreconditionFailed:
    """Return the error of a file that may not be given or taken."""
    return PreconditionFailed(
        "FILE_REFUSED",
        f"The file {path!r} is refused: {_FILE_REASONS.get(reason, reason)}.",
        metadata={"path": path, "reason": reason},
    )


def execution_unknown(execution_id: str) -> NotFound:
    """Return the error of a run that does not run."""
    return NotFound("EXECUTION_UNKNOWN", "Nothing runs under that id.", metadata={"execution_id": execution_id[:64]})


def session_unknown(session_id: str) -> NotFound:
    """Return the error of a session that is not the caller's, or not there (any more)."""
    return NotFound(
        "SESSION_UNKNOWN",
        "There is no such session. It may have been idle for too long, or its program has ended it.",
        metadata={"session_id": session_id},
    )


def process_unknown(process_id: str) -> NotFound:
    """Return the error of a process that is not the caller's, or not there (any more)."""
    return NotFound("PROCESS_UNKNOWN", "There is no such process.", metadata={"process_id": process_id})


def session_busy() -> PreconditionFailed:
    """Return the error of a session in which too many cells wait."""
    return PreconditionFailed("SESSION_BUSY", "Too many cells wait in this session. Wait for one to end.")


def request_id_reused() -> AlreadyExists:
    """Return the error of a request id under which something else was asked for."""
    return AlreadyExists("REQUEST_ID_REUSED", "This request id belongs to another request. Choose a new one.")


def path_refused(path: str, why: str) -> PreconditionFailed:
    """Return the error of a path of the host that a program may not have."""
    return PreconditionFailed("PATH_REFUSED", f"The path {path!r} is refused: {why}.", metadata={"path": path})


def program_not_found(name: str, why: str) -> PreconditionFailed:
    """Return the error of a program that a sandbox would not find."""
    return PreconditionFailed(
        "PROGRAM_NOT_FOUND", f"The program {name[:200]!r} cannot be started: {why}.", metadata={"program": name[:200]}
    )


def path_invalid(problem: str) -> InvalidInput:
    """Return the error of a path that cannot name a file of a workspace."""
    return InvalidInput("PATH_INVALID", f"The path {problem}.", violations=[FieldViolation("path", problem)])


def process_watched() -> PreconditionFailed:
    """Return the error of a process that somebody watches already."""
    return PreconditionFailed("PROCESS_WATCHED", "Somebody watches this process already.")


def _said(violations: Sequence[FieldViolation]) -> str:
    return "; ".join(f"{violation.field} {violation.description}" for violation in violations)
