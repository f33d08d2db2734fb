"""What was measured of calls over a sliding window, in bounded memory and constant time a call.

Times and speeds are counted in integer cells of growing width: numbers below 32 have a cell each, larger ones share
16 cells between two powers of two (the scheme of HdrHistogram with 4 bits of precision). A quantile is the middle of
its cell, so it is at most 1/32 (3.2 %) away from the exact one by nearest rank. There are 336 cells.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from provider_router.domain.contracts.contract import PPM
from provider_router.domain.decisions.service_state import Measured

_PRECISION_BITS = 4
_EXACT_BELOW = 2 << _PRECISION_BITS
_LARGEST = (1 << 24) - 1
MIN_SPEED_TOKENS = 8
"""An answer of fewer tokens says nothing about speed: most of its time is not spent on them."""


def cell_of(value: int) -> int:
    """The cell of `value`; values below 0 count as 0, those above 2^24 - 1 as that."""
    if value < _EXACT_BELOW:
        return max(value, 0)
    value = min(value, _LARGEST)
    shift = value.bit_length() - _PRECISION_BITS - 1
    return (shift << _PRECISION_BITS) + (value >> shift)


def middle_of(cell: int) -> int:
    """The number that stands for a cell."""
    if cell < _EXACT_BELOW:
        return cell
    shift = (cell >> _PRECISION_BITS) - 1
    lowest = (cell - (shift << _PRECISION_BITS)) << shift
    return lowest + (1 << shift >> 1)


def quantile(cells: Counter[int], percent: int) -> int:
    """The number at `percent` (1 to 100) by nearest rank; 0 of an empty count."""
    left = -(-cells.total() * percent // 100)
    for cell in sorted(cells):
        left -= cells[cell]
        if left <= 0:
            return middle_of(cell)
    return 0


def tokens_per_second(output_tokens: int, first_token_ms: int | None, duration_ms: int) -> int | None:
    """Speed from the first token to the last; None where the answer is too short to tell, or came in one piece."""
    if first_token_ms is None or output_tokens < MIN_SPEED_TOKENS or duration_ms <= first_token_ms:
        return None
    return (output_tokens - 1) * 1000 // (duration_ms - first_token_ms)


_NOTHING = Measured()


@dataclass(slots=True)
class Tally:
    """Counts of one step of the window, or of all of it."""

    calls: int = 0
    good: int = 0
    # Failures that decisions do not count, see `CallWindow.excuse`.
    excused: int = 0
    first_token: Counter[int] = field(default_factory=Counter[int])
    speed: Counter[int] = field(default_factory=Counter[int])
    # Worked out when it is asked for, and kept until a count changes.
    _measured: Measured | None = None

    def add(self, *, good: bool, first_token: int | None, speed: int | None) -> None:
        """Counts one call with the cells of its first token and its speed."""
        self._measured = None
        self.calls += 1
        self.good += good
        if first_token is not None:
            self.first_token[first_token] += 1
        if speed is not None:
            self.speed[speed] += 1

    def excuse(self, failures: int) -> None:
        """Excuses so many failures more."""
        self._measured = None
        self.excused += failures

    def take_off(self, other: Tally) -> None:
        """Subtracts another tally, which is part of this one."""
        self._measured = None
        self.calls -= other.calls
        self.good -= other.good
        self.excused -= other.excused
        # Cells that fall to zero are removed, so that the total does not keep every cell that was ever seen.
        self.first_token -= other.first_token
        self.speed -= other.speed

    def put_on(self, other: Tally) -> None:
        """Adds another tally."""
        self._measured = None
        self.calls += other.calls
        self.good += other.good
        self.excused += other.excused
        self.first_token.update(other.first_token)
        self.speed.update(other.speed)

    def measured(self) -> Measured:
        """The quantiles and shares of these counts."""
        if self._measured is None:
            self._measured = Measured(
                calls=self.calls,
                success_ppm=self.good * PPM // self.calls if self.calls else PPM,
                first_token_p50_ms=quantile(self.first_token, 50),
                first_token_p95_ms=quantile(self.first_token, 95),
                tokens_per_second=quantile(self.speed, 50),
                excused=self.excused,
            )
        return self._measured


class CallWindow:
    """Measures calls over the last `slices` steps of `slice_s` seconds, the current one included."""

    def __init__(self, slice_s: float = 15.0, slices: int = 20) -> None:
        self._slice_s = slice_s
        self._slices = slices
        self._steps: deque[tuple[int, Tally]] = deque()
        self._total = Tally()

    def add(self, now: float, *, good: bool, first_token_ms: int | None = None, speed: int | None = None) -> None:
        """Counts one call.

        Args:
            now: Seconds of a clock that never goes back.
            good: Whether it succeeded.
            first_token_ms: Time to its first piece; None when none came.
            speed: Its tokens a second; None when that is not known.
        """
        number = self._slide(now)
        if not self._steps or self._steps[-1][0] != number:
            self._steps.append((number, Tally()))
        first = None if first_token_ms is None else cell_of(first_token_ms)
        pace = None if speed is None else cell_of(speed)
        self._steps[-1][1].add(good=good, first_token=first, speed=pace)
        self._total.add(good=good, first_token=first, speed=pace)

    @property
    def length_s(self) -> float:
        """How far back it reaches."""
        return self._slice_s * self._slices

    def excuse(self, now: float, last_s: float) -> None:
        """Excuses the failures of the last `last_s` seconds, in whole steps: shown, but ignored by decisions."""
        oldest = int((now - last_s) // self._slice_s)
        self._slide(now)
        for number, tally in self._steps:
            if number >= oldest:
                failures = tally.calls - tally.good - tally.excused
                tally.excuse(failures)
                self._total.excuse(failures)

    def measured(self, now: float) -> Measured:
        """What was observed up to `now`."""
        return measured_together((self,), now)

    def _slide(self, now: float) -> int:
        """Forgets what is older than the window; returns the number of the current step."""
        number = int(now // self._slice_s)
        while self._steps and self._steps[0][0] <= number - self._slices:
            self._total.take_off(self._steps.popleft()[1])
        return number

    def tally(self, now: float) -> Tally:
        """The counts of the window as of `now`; only to read, until the next call of any method."""
        self._slide(now)
        return self._total


def measured_together(windows: Iterable[CallWindow], now: float) -> Measured:
    """What was observed in all `windows` together, for example those of a service's deployments."""
    tallies = [tally for window in windows if (tally := window.tally(now)).calls]
    if len(tallies) <= 1:
        return tallies[0].measured() if tallies else _NOTHING
    total = Tally()
    for tally in tallies:
        total.put_on(tally)
    return total.measured()
