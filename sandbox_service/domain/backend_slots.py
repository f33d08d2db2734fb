"""Backends that an installation does not have, and what each would need."""

from __future__ import annotations

from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.domain.isolation_level import IsolationLevel

GVISOR = IsolationReport(
    available=False,
    remedy="Install gVisor's runsc, set NEXUS_SANDBOX_RUNSC to its path and start the sandbox service again.",
    backend="gvisor",
    level=IsolationLevel.USER_KERNEL,
)
FIRECRACKER = IsolationReport(
    available=False,
    remedy=(
        "No backend with virtual machines is built in. It would be one behind "
        "sandbox_service/ports/isolation_backend.py, and its host would need /dev/kvm, the firecracker program, a "
        "guest kernel and a root image."
    ),
    backend="firecracker",
    level=IsolationLevel.VIRTUAL_MACHINE,
)
SLOTS = (GVISOR, FIRECRACKER)
"""The weakest first."""


def empty_slots(reports: list[IsolationReport]) -> list[IsolationReport]:
    """Return the slots of levels that none of the reported backends is of."""
    taken = {report.level for report in reports}
    return [slot for slot in SLOTS if slot.level not in taken]
