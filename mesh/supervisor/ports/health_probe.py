"""Port: asking a process how it is."""

from __future__ import annotations

from typing import Protocol

from mesh.supervisor.domain.process_spec import ProcessSpec
from mesh.supervisor.domain.process_status import Health


class HealthProbe(Protocol):
    """Checks the health of processes."""

    async def check(self, spec: ProcessSpec, timeout_s: float) -> Health:
        """Return how the process is, after at most `timeout_s` seconds. The worst of its probes counts."""
        ...
