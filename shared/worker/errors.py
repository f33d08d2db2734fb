"""Why a worker gave no answer. The adapter that asked knows what it means to its caller."""

from __future__ import annotations


class WorkersBusyError(Exception):
    """More wait already than may."""


class WorkerNotStartedError(Exception):
    """No process could be started."""


class WorkerSlowError(Exception):
    """There was no answer in time; the process was killed."""


class WorkerLostError(Exception):
    """The process ended before it answered; `signalled` is the signal that ended it, or 0."""

    def __init__(self, signalled: int) -> None:
        super().__init__(f"signal {signalled}")
        self.signalled = signalled
