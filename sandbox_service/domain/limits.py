"""Limits of a run: what a caller asks for, what the service grants."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_service.domain.errors import limit_out_of_range
from shared.errors import FieldViolation

LEAST_MEMORY_BYTES = 32 << 20
"""Below this an interpreter does not start."""


@dataclass(frozen=True, slots=True)
class RunLimits:
    """Limits of one run.

    Attributes:
        wall_time_s: longest wall time, in seconds.
        memory_bytes: most memory of the whole process tree, files in its workspace included.
        processes: most processes and threads at a time.
        output_bytes: most bytes of standard output and standard error together.
    """

    wall_time_s: float
    memory_bytes: int
    processes: int
    output_bytes: int


@dataclass(frozen=True, slots=True)
class LimitPolicy:
    """The service's defaults and ceilings.

    Attributes:
        defaults: what a caller gets who asks for nothing.
        ceilings: the most that a caller may ask for.
    """

    defaults: RunLimits
    ceilings: RunLimits

    def granted(self, wanted: RunLimits) -> RunLimits:
        """Return the limits of a run that asks for `wanted`, where 0 stands for the default.

        Raises:
            InvalidInput: LIMIT_OUT_OF_RANGE, with one violation for each limit outside its range.
        """
        limits = RunLimits(
            wall_time_s=wanted.wall_time_s or self.defaults.wall_time_s,
            memory_bytes=wanted.memory_bytes or self.defaults.memory_bytes,
            processes=wanted.processes or self.defaults.processes,
            output_bytes=wanted.output_bytes or self.defaults.output_bytes,
        )
        violations = self._violations(limits)
        if violations:
            raise limit_out_of_range(violations)
        return limits

    def _violations(self, limits: RunLimits) -> list[FieldViolation]:
        most = self.ceilings
        ranges: list[tuple[str, float, float, float]] = [
            ("wall_time", limits.wall_time_s, 0.001, most.wall_time_s),
            ("memory_bytes", limits.memory_bytes, LEAST_MEMORY_BYTES, most.memory_bytes),
            ("processes", limits.processes, 1, most.processes),
            ("output_bytes", limits.output_bytes, 1, most.output_bytes),
        ]
        return [
            FieldViolation(f"limits.{name}", f"is {value:g} and must be from {least:g} to {ceiling:g}")
            for name, value, least, ceiling in ranges
            if not least <= value <= ceiling
        ]
