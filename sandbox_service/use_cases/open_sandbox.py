"""Open a sandbox: never without isolation, never without a place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sandbox_service.domain.egress import AllowList, granted
from sandbox_service.domain.errors import isolation_too_weak, isolation_unavailable
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.order import Caller
from sandbox_service.ports.image_store import ImageStore
from sandbox_service.ports.isolation_backend import IsolationBackend, SandboxSpec
from sandbox_service.ports.isolation_policy import IsolationPolicy
from sandbox_service.ports.sandbox import Sandbox
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.report_isolation import ReportIsolation


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a sandbox is wanted for.

    Attributes:
        image: name or digest; empty for the base image.
        limits: granted.
        strict: whether nothing is shared with other sandboxes of the organisation.
        egress: wanted `host:port` targets.
        read_only_paths: paths of the host, granted.
        writable_paths: paths of the host, granted.
    """

    image: str
    limits: RunLimits
    strict: bool = False
    egress: tuple[str, ...] = ()
    read_only_paths: tuple[str, ...] = ()
    writable_paths: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Host:
    """What is the same for all sandboxes.

    Attributes:
        backend: makes them.
        report: says whether the host isolates.
        images: what they can hold.
        egress: what programs may reach on this installation.
        policy: how strongly organisations want to be isolated.
    """

    backend: IsolationBackend
    report: ReportIsolation
    images: ImageStore
    egress: AllowList
    policy: IsolationPolicy


class OpenSandbox:
    """Opens sandboxes of one kind.

    Args:
        host: where.
        admit: hands out their places.
    """

    def __init__(self, host: Host, admit: AdmitRun) -> None:
        self._backend = host.backend
        self._report = host.report
        self._images = host.images
        self._egress = host.egress
        self._policy = host.policy
        self._admit = admit

    async def __call__(self, caller: Caller, wanted: Wanted, abandoned: asyncio.Event | None = None) -> Sandbox:
        """Return an empty sandbox, whose place is given back when no process of it is left.

        Args:
            caller: whose it will be.
            wanted: what for.
            abandoned: set when nobody waits for it any more.

        Raises:
            NotFound: IMAGE_UNKNOWN.
            PreconditionFailed: ISOLATION_UNAVAILABLE, ISOLATION_TOO_WEAK, IMAGE_NOT_SET_UP, EGRESS_REFUSED.
            QuotaExceeded: SANDBOX_BUSY.
        """
        image = self._images.find(wanted.image)
        egress = granted(wanted.egress, self._egress)
        report = await self._report()
        if not report.available:
            raise isolation_unavailable(report)
        least = await self._policy.least(caller.org_id)
        if report.level < least:
            raise isolation_too_weak(report, least)
        give_back = await self._admit(caller.org_id)
        if abandoned is not None and abandoned.is_set():
            give_back()
            raise asyncio.CancelledError
        spec = SandboxSpec(
            caller.org_id,
            image,
            wanted.limits,
            strict=wanted.strict,
            egress=egress,
            read_only_paths=wanted.read_only_paths,
            writable_paths=wanted.writable_paths,
        )
        return await self._made(spec, give_back)

    async def _made(self, spec: SandboxSpec, give_back: Callable[[], None]) -> Sandbox:
        try:
            return await self._backend.create(spec, give_back)
        except BaseException:
            give_back()
            raise
