"""How a failed command tells what happened: one red line, or JSON; and the exit code."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.text import Text

from mesh.cli.exit_codes import ExitCode
from mesh.cli.printable import json_line, printable
from shared.errors import Cancelled, Forbidden, InvalidInput, NexusError, NotFound, Unauthenticated, UpstreamDown

_BY_REASON = {
    "MESH_NOT_RUNNING": ExitCode.NOT_RUNNING,
    "WEIGHTS_MISSING": ExitCode.SETUP_INCOMPLETE,
    "IMAGE_NOT_SET_UP": ExitCode.SETUP_INCOMPLETE,
    "ISOLATION_UNAVAILABLE": ExitCode.SETUP_INCOMPLETE,
    "ISOLATION_TOO_WEAK": ExitCode.SETUP_INCOMPLETE,
    "BACKEND_LACKS": ExitCode.SETUP_INCOMPLETE,
}
_BY_CLASS: tuple[tuple[type[NexusError], ExitCode], ...] = (
    (InvalidInput, ExitCode.USAGE),
    (Unauthenticated, ExitCode.UNAUTHENTICATED),
    (Forbidden, ExitCode.UNAUTHENTICATED),
    (NotFound, ExitCode.NOT_FOUND),
    (UpstreamDown, ExitCode.NOT_RUNNING),
    (Cancelled, ExitCode.INTERRUPTED),
)


def exit_code_of(error: NexusError) -> ExitCode:
    """Return the exit code for an error."""
    if error.reason in _BY_REASON:
        return _BY_REASON[error.reason]
    return next((code for kind, code in _BY_CLASS if isinstance(error, kind)), ExitCode.FAILED)


def report(error: NexusError, *, as_json: bool, trace_id: str = "") -> ExitCode:
    """Tell on standard error what happened; return the exit code."""
    if as_json:
        content: dict[str, Any] = {"reason": error.reason, "message": error.message, "trace_id": trace_id}
        metadata = {key: value for key, value in error.metadata.items() if key != "trace_id"}
        if metadata:
            content["metadata"] = metadata
        if error.violations:
            content["violations"] = [{"field": v.field, "description": v.description} for v in error.violations]
        sys.stderr.write(json_line({"error": content}) + "\n")
    else:
        origin = f"{error.reason}, trace {trace_id}" if trace_id else error.reason
        line = Text.assemble((printable(_sentence(error)), "red"), (printable(f"  [{origin}]"), "dim"))
        console = Console(stderr=True, highlight=False)
        console.print(line, soft_wrap=not console.is_terminal)
    return exit_code_of(error)


def finish(work: Callable[[], int | None], *, as_json: bool) -> NoReturn:
    """Do the work of a command and end the process with its exit code, an ExitCode or that of a program."""
    try:
        code: int = work() or ExitCode.OK
    except NexusError as error:
        code = report(error, as_json=as_json, trace_id=error.metadata.get("trace_id", ""))
    except KeyboardInterrupt:
        code = ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output, `head` for instance, has enough. Nothing more may be written at exit either.
        sys.stderr.close()
        code = ExitCode.OK
    raise typer.Exit(code)


def finish_async(work: Callable[[], Coroutine[Any, Any, int | None]], *, as_json: bool) -> NoReturn:
    """Do the asynchronous work of a command and end the process with its exit code."""
    finish(lambda: asyncio.run(work()), as_json=as_json)


def _sentence(error: NexusError) -> str:
    # What is wrong with a field is often in the message already.
    told = error.message.lower()
    details = "; ".join(f"{v.field}: {v.description}" for v in error.violations if v.description.lower() not in told)
    return f"{error.message} ({details})" if details else error.message
