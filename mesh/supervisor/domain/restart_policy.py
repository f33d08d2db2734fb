"""When a process that ended is started again, and when it is given up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """Exponential backoff without jitter: there is one supervisor, so nothing stampedes.

    Attributes:
        first_delay_s: wait before the first restart.
        longest_delay_s: most to wait; each crash in a row doubles the wait up to this.
        reset_after_s: seconds of health after which a crash counts as the first one again.
        start_attempts: crashes in a row, before the process was ever healthy, after which it is given up.
        silence_limit_s: seconds without an answer to a health check after which a process counts as hung.
        start_silence_limit_s: the same for a process that has not answered yet since it was started.
    """

    first_delay_s: float = 0.2
    longest_delay_s: float = 10.0
    reset_after_s: float = 30.0
    start_attempts: int = 5
    silence_limit_s: float = 30.0
    start_silence_limit_s: float = 60.0

    def delay_s(self, crashes_in_a_row: int) -> float:
        """Return how long to wait after the `crashes_in_a_row`-th crash, counted from 1."""
        # The exponent is bounded so that a process that crashes for years does not overflow a float.
        return min(self.longest_delay_s, self.first_delay_s * 2.0 ** min(crashes_in_a_row - 1, 32))

    def gives_up(self, crashes_in_a_row: int, *, ever_ready: bool) -> bool:
        """Return whether a process with this record is not started again."""
        return not ever_ready and crashes_in_a_row >= self.start_attempts
