"""The load generator's process, as the measurements use it."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from benchmarks.gateway.children import end, on_cores
from benchmarks.gateway.job import Job, Outcome, outcome_of

_LONGEST_S = 120.0


class WrongAnswersError(RuntimeError):
    """Some answers were not what the upstream said: what was measured with them does not count.

    Attributes:
        answers: How many were.
    """

    def __init__(self, message: str, answers: int = 0) -> None:
        super().__init__(message)
        self.answers = answers


class LoadGenerator:
    """Does jobs, one at a time."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    def do(self, job: Job, meanwhile: Callable[[], None] | None = None, every_s: float = 0.25) -> Outcome:
        """Do a job and return how it went.

        Args:
            job: What to do.
            meanwhile: Called again and again while it is done.
            every_s: How often.

        Raises:
            WrongAnswersError: An answer was wrong, cut or lost.
        """
        told, said = self._process.stdin, self._process.stdout
        if told is None or said is None:
            raise RuntimeError("The load generator has no pipes.")
        told.write(job.line())
        told.flush()
        deadline = time.monotonic() + _LONGEST_S
        while not select.select([said], [], [], every_s)[0]:
            if meanwhile is not None:
                meanwhile()
            if time.monotonic() > deadline:
                raise WrongAnswersError(f"{job} is not over after {_LONGEST_S:g} s.")
        line = said.readline()
        if not line:
            raise RuntimeError("The load generator ended.")
        outcome = outcome_of(line)
        if outcome.wrong or not outcome.answers:
            asked = outcome.answers + outcome.wrong
            raise WrongAnswersError(f"{outcome.wrong} of {asked} were wrong: {outcome.what}", outcome.answers)
        return outcome


@contextmanager
def load_generator(on: frozenset[int]) -> Generator[LoadGenerator]:
    """Run the load generator on those processors until the block ends."""
    command = [sys.executable, "-m", "benchmarks.gateway.load"]
    with on_cores(on):
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
    try:
        yield LoadGenerator(process)
    finally:
        end(process)
