"""The exit codes of `nexus`. Documented in docs/guides/cli.md; programs rely on them."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    OK = 0
    FAILED = 1  # the operation or the run failed
    USAGE = 2  # wrong arguments, or a request that can never work
    NOT_RUNNING = 3  # no mesh, or it does not answer
    UNAUTHENTICATED = 4  # no valid key, or the key may not do this
    NOT_FOUND = 5  # no such run, conversation, tool
    SETUP_INCOMPLETE = 6  # something must be set up first: weights, an image, isolation
    INTERRUPTED = 130  # Ctrl-C, as shells count it
