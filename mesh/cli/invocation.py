"""What all commands that talk to the mesh have in common."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, NoReturn

from mesh.cli.failures import finish_async
from mesh.cli.output import Output
from mesh.cli.session import Session, open_session

Work = Callable[[Session, Output], Coroutine[Any, Any, int | None]]


def invoke(work: Work, data: Path | None, *, as_json: bool) -> NoReturn:
    """Do the work of a command with a session and an output; end the process with its exit code."""

    async def begin() -> int | None:
        return await work(open_session(data), Output(as_json=as_json))

    finish_async(begin, as_json=as_json)
