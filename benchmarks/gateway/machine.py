"""What else the machine did: while others use it much, times say little, and only ratios of one round say anything."""

from __future__ import annotations

import os

import psutil


class Machine:
    """Looks at the machine from when it is made."""

    def __init__(self) -> None:
        self._busy_s, self._all_s = _spent_s()
        self._own_s = _own_s()

    def others_percent(self) -> float:
        """Return the share of all processors that other programs used; ask when all that was started has ended."""
        busy_s, all_s = _spent_s()
        others_s = busy_s - self._busy_s - (_own_s() - self._own_s)
        return max(0.0, others_s / (all_s - self._all_s) * 100)


def _spent_s() -> tuple[float, float]:
    """The seconds that all processors were busy so far, and those that there were."""
    times = psutil.cpu_times()
    every = sum(times[:8])  # what guests used is part of the first two
    return every - times.idle - times.iowait, every


def _own_s() -> float:
    """The seconds of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])
