"""Runs the programs that set-up needs."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence

from mesh.images.errors import ImagesError

_LAST_WORDS = 600


def run_command(
    argv: Sequence[str], timeout_s: float, remedy: str, environment: Mapping[str, str] | None = None
) -> None:
    """Run a program to its end; its output is shown only when it fails.

    Args:
        argv: the program and its arguments; no shell is between.
        timeout_s: most seconds.
        remedy: what to do when it fails.
        environment: its whole environment; this process's when None.

    Raises:
        ImagesError: when it fails, is missing or takes too long.
    """
    try:
        done = subprocess.run(  # noqa: S603  a fixed program, no shell
            list(argv), capture_output=True, text=True, timeout=timeout_s, check=False, env=environment
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ImagesError(f"{argv[0]} did not end well: {error}.", remedy) from error
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-_LAST_WORDS:]
        raise ImagesError(f"{argv[0]} failed with {done.returncode}: {said}", remedy)
