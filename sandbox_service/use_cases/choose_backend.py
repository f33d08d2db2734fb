"""Choose the backend for a sandbox: the weakest that is strong enough."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox_service.domain.backend_slots import empty_slots
from sandbox_service.domain.errors import isolation_too_weak, isolation_unavailable
from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.domain.isolation_level import IsolationLevel
from sandbox_service.ports.isolation_backend import IsolationBackend
from sandbox_service.use_cases.report_isolation import ReportIsolation
from shared.clock import Clock


class ChooseBackend:
    """Knows the backends and how strongly each one isolates on this host.

    Args:
        backends: the weakest first, which is the default; at least one.
        clock: spaces the probes.
    """

    def __init__(self, backends: Sequence[IsolationBackend], clock: Clock) -> None:
        self._offered = [(backend, ReportIsolation(backend, clock)) for backend in backends]

    async def __call__(self, least: IsolationLevel) -> IsolationBackend:
        """Return the first backend that isolates as strongly as `least`; a stronger one is not even probed then.

        Raises:
            PreconditionFailed: ISOLATION_UNAVAILABLE, ISOLATION_TOO_WEAK, each with what to do about it.
        """
        reports: list[IsolationReport] = []
        for backend, ask in self._offered:
            report = await ask()
            if report.available and report.level >= least:
                return backend
            reports.append(report)
        available = [report for report in reports if report.available]
        if not available:
            raise isolation_unavailable(reports[0])
        others = [*(report for report in reports if not report.available), *empty_slots(reports)]
        remedy = next((report.remedy for report in others if report.level >= least), "")
        raise isolation_too_weak(max(available, key=lambda report: report.level), least, remedy)

    async def reports(self) -> list[IsolationReport]:
        """Return the reports of all backends, the default's first, then those that this installation could have."""
        reports = [await ask() for _, ask in self._offered]
        return [*reports, *empty_slots(reports)]
