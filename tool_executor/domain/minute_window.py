"""Counts what happened in the last minute, in steps of a second."""

from __future__ import annotations

from collections import deque

_WINDOW_S = 60


class MinuteWindow:
    """A sliding window without a clock: each method takes `now`, seconds of a clock that never goes back.

    It never lets more through in any 60 seconds than it is asked to; a call may count for up to a second longer.
    """

    def __init__(self) -> None:
        # Seconds with the number of calls in each, the oldest first: 61 at most.
        self._seconds: deque[tuple[int, int]] = deque()
        self._calls = 0

    def calls(self, now: float) -> int:
        """Return how many calls count."""
        while self._seconds and self._seconds[0][0] < int(now) - _WINDOW_S:
            self._calls -= self._seconds.popleft()[1]
        return self._calls

    def add(self, now: float) -> None:
        """Count one call."""
        self.calls(now)
        second = int(now)
        before = self._seconds.pop()[1] if self._seconds and self._seconds[-1][0] == second else 0
        self._seconds.append((second, before + 1))
        self._calls += 1

    def take_back(self, now: float) -> None:
        """Uncount the newest call, which did not come about."""
        if self.calls(now):
            second, count = self._seconds.pop()
            if count > 1:
                self._seconds.append((second, count - 1))
            self._calls -= 1

    def room_in_s(self, now: float) -> float:
        """Return the seconds until fewer calls count."""
        return self._seconds[0][0] + _WINDOW_S + 1 - now if self.calls(now) else 0.0
