"""What of a host is the same for all sandboxes."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_service.adapters.namespaces.cgroups import MEMORY, CgroupTree, GroupLimits
from sandbox_service.adapters.namespaces.interpreter import InterpreterLayout
from sandbox_service.domain.limits import RunLimits

# Address space is not memory: threads and allocators reserve far more than they touch. With a group, this only stops
# absurd reservations; without one it bounds how far a process gets between two looks of PID 1.
_ADDRESS_SPACE_FACTOR = 4
_ADDRESS_SPACE_FACTOR_UNGROUPED = 2
_ADDRESS_SPACE_SLACK_BYTES = 1 << 30
_ADDRESS_SPACE_SLACK_UNGROUPED_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class HostSetup:
    """What is the same for all sandboxes.

    Attributes:
        is_root: whether the service is root, and gives each organisation a host user of its own.
        layout: the interpreter and what it needs.
        cgroups: where groups can be made; without the memory controller, none is made.
        workspace_bytes: size of each of /work, /tmp and /dev/shm.
        workspace_files: most files and folders in each of them.
        cpu_cores: CPU seconds a second of one sandbox.
        extra_memory_bytes: what the group of a sandbox may take beside its programs.
        extra_processes: what of them there may be in the group beside its programs: PID 1, or a runtime's.
    """

    is_root: bool
    layout: InterpreterLayout
    cgroups: CgroupTree
    workspace_bytes: int
    workspace_files: int
    cpu_cores: float
    extra_memory_bytes: int = 0
    extra_processes: int = 1

    @property
    def counts_memory(self) -> bool:
        """Whether the kernel counts and limits the memory of a sandbox."""
        return MEMORY in self.cgroups.controllers

    def group_limits(self, limits: RunLimits) -> GroupLimits:
        """Return what the control group of a sandbox is held to."""
        return GroupLimits(
            limits.memory_bytes + self.extra_memory_bytes, limits.processes + self.extra_processes, self.cpu_cores
        )

    def watched_memory_bytes(self, limits: RunLimits) -> int:
        """Return the memory that PID 1 has to watch over; 0 where the kernel does."""
        return 0 if self.counts_memory else limits.memory_bytes

    def rlimits(self, limits: RunLimits, *, cpu_s: int) -> dict[str, int]:
        """Return the rlimits of a program in PID 1's words.

        Args:
            limits: as granted.
            cpu_s: most CPU seconds of one process; 0 for no limit.
        """
        if self.counts_memory:
            address_space = limits.memory_bytes * _ADDRESS_SPACE_FACTOR + _ADDRESS_SPACE_SLACK_BYTES
        else:
            address_space = limits.memory_bytes * _ADDRESS_SPACE_FACTOR_UNGROUPED + _ADDRESS_SPACE_SLACK_UNGROUPED_BYTES
        return {
            "processes": limits.processes,
            "file_bytes": self.workspace_bytes,
            "cpu_s": cpu_s,
            "address_space_bytes": address_space,
        }
