"""Something that can run untrusted code in isolation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from sandbox_service.domain.egress import NOTHING, EgressGrant
from sandbox_service.domain.image import Image
from sandbox_service.domain.isolation import IsolationReport
from sandbox_service.domain.limits import RunLimits
from sandbox_service.ports.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class SandboxSpec:
    """What a sandbox is wanted for.

    Attributes:
        org_id: whose code will run in it; nothing is shared between organisations.
        image: what the code finds.
        limits: what it may use, all of them positive.
        strict: whether nothing is shared between sandboxes of one organisation either, not even an address layout.
        egress: what it may reach; nothing by default.
        read_only_paths: paths of the host that are seen inside, at the same place; granted already.
        writable_paths: paths of the host that may be changed from inside, at the same place; granted already.
        program: what will be started there, to be shown from the host where the image lacks it; empty for neither.
    """

    org_id: str
    image: Image
    limits: RunLimits
    strict: bool = False
    egress: EgressGrant = NOTHING
    read_only_paths: tuple[str, ...] = ()
    writable_paths: tuple[str, ...] = ()
    program: str = ""


class IsolationBackend(Protocol):
    """Runs code so that it reaches nothing of the host, and organisations nothing of each other."""

    async def probe(self) -> IsolationReport:
        """Return what is enforced, by running real programs. Idempotent; takes up to a few seconds.

        Never raises for a host that cannot isolate: the report says so and names the remedy.
        """
        ...

    async def create(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> Sandbox:
        """Return an empty sandbox. `on_gone` is called once, when no process of it is left.

        Raises:
            PreconditionFailed: PATH_REFUSED, PROGRAM_NOT_FOUND.
            Internal: RUN_NOT_STARTED, when its isolation cannot be built; `on_gone` is not called then.
        """
        ...

    async def close(self) -> None:
        """Kill every sandbox and wait until nothing of them is left. Idempotent."""
        ...
