"""Report which layers of isolation are enforced on this host."""

from __future__ import annotations

import asyncio

from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.ports.isolation_backend import IsolationBackend
from shared.clock import Clock

PROBE_AGAIN_AFTER_S = 30.0


class ReportIsolation:
    """Probes the backend once and keeps the report.

    A report that says no is probed again after 30 seconds, so that a host that was mended works without a restart.
    """

    def __init__(self, backend: IsolationBackend, clock: Clock) -> None:
        self._backend = backend
        self._clock = clock
        self._lock = asyncio.Lock()
        self._report: IsolationReport | None = None
        self._probed_at_s = 0.0

    async def __call__(self) -> IsolationReport:
        """Return the report. Idempotent; the first call takes as long as the probe."""
        async with self._lock:
            if self._report is None or self._is_stale(self._report):
                self._report = await self._backend.probe()
                self._probed_at_s = self._clock.monotonic()
            return self._report

    def _is_stale(self, report: IsolationReport) -> bool:
        age_s = self._clock.monotonic() - self._probed_at_s
        return not report.available and age_s >= PROBE_AGAIN_AFTER_S
