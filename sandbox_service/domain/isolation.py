"""What is enforced around a program on this host."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox_service.domain.isolation_level import IsolationLevel


@dataclass(frozen=True, slots=True)
class IsolationLayer:
    """One layer, as probed with a real program.

    Attributes:
        name: stable name, for example `seccomp`.
        enforced: whether it bites.
        detail: how it is enforced, or why not.
    """

    name: str
    enforced: bool
    detail: str


@dataclass(frozen=True, slots=True)
class IsolationReport:
    """Whether this host can isolate, and how.

    Attributes:
        available: whether code may be run.
        remedy: what to do when not; empty when available.
        backend: name of the backend.
        layers: each layer that was probed.
        level: how strong it is as a whole.
    """

    available: bool
    remedy: str
    backend: str
    layers: tuple[IsolationLayer, ...] = ()
    level: IsolationLevel = IsolationLevel.NAMESPACES
