"""Open a sandbox: never without isolation, never without a place."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from sandbox_service.domain.egress import AllowList, granted
from sandbox_service.domain.limits import RunLimits
from sandbox_service.domain.order import Caller
from sandbox_service.ports.image_store import ImageStore
from sandbox_service.ports.isolation_backend import IsolationBackend, SandboxSpec
from sandbox_service.ports.isolation_policy import IsolationPolicy
from sandbox_service.ports.sandbox import Sandbox
from sandbox_service.use_cases.admit_run import AdmitRun
from sandbox_service.use_cases.choose_backend import ChooseBackend


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
        program: what will be started; empty for what the image runs.
    """

    image: str
    limits: RunLimits
    strict: bool = False
    egress: tuple[str, ...] = ()
    read_only_paths: tuple[str, ...] = ()
    writable_paths: tuple[str, ...] = ()
    program: str = ""


@dataclass(frozen=True, slots=True)
class Host:
    """What is the same for all sandboxes.

    Attributes:
        choose: says where they are made.
        images: what they can hold.
        egress: what programs may reach on this installation.
        policy: how strongly organisations want to be isolated.
    """

    choose: ChooseBackend
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
        self._choose = host.choose
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
            PreconditionFailed: ISOLATION_UNAVAILABLE, ISOLATION_TOO_WEAK, IMAGE_NOT_SET_UP, EGRESS_REFUSED,
                PATH_REFUSED, PROGRAM_NOT_FOUND, BACKEND_LACKS.
            QuotaExceeded: SANDBOX_BUSY.
        """
        image = await asyncio.to_thread(self._images.find, wanted.image)  # which may have to read it anew
        egress = granted(wanted.egress, self._egress)
        backend = await self._choose(await self._policy.least(caller.org_id))
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
            program=wanted.program,
        )
        return await _made(backend, spec, give_back)


async def _made(backend: IsolationBackend, spec: SandboxSpec, give_back: Callable[[], None]) -> Sandbox:
    making = asyncio.ensure_future(backend.create(spec, give_back))
    try:
        # Half a sandbox cannot be taken back: who leaves meanwhile leaves a whole one, and its place until it is gone.
        return await asyncio.shield(making)
    except asyncio.CancelledError:
        making.add_done_callback(lambda made: _throw_away(made, give_back))
        raise
    except BaseException:
        give_back()
        raise


def _throw_away(made: asyncio.Future[Sandbox], give_back: Callable[[], None]) -> None:
    if made.cancelled() or made.exception() is not None:
        give_back()
    else:
        made.result().discard()
