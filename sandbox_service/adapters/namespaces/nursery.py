"""The zygotes of this service and the sandboxes that they keep ready."""

from __future__ import annotations

import asyncio
import itertools
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from sandbox_service.adapters.egress.dialler import EgressDialler
from sandbox_service.adapters.namespaces.blueprints import Blueprints
from sandbox_service.adapters.namespaces.cgroups import CgroupTree, RunGroup
from sandbox_service.adapters.namespaces.failures import LaunchFailedError, ZygoteDiedError
from sandbox_service.adapters.namespaces.host import HostSetup
from sandbox_service.adapters.namespaces.organisation_groups import OrganisationGroups
from sandbox_service.adapters.namespaces.sandbox import Around, NamespaceSandbox
from sandbox_service.adapters.namespaces.user_ids import UserIds
from sandbox_service.adapters.namespaces.zygote import Spawned, Zygote
from sandbox_service.ports.isolation_backend import SandboxSpec
from shared.clock import Clock
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_LOOK_EVERY_S = 5.0
Key = tuple[str, str]
"""An organisation and an image's digest."""


@dataclass(frozen=True, slots=True)
class NurseryOptions:
    """How much is kept warm.

    Attributes:
        zygotes: most zygotes at a time, those in use not counted.
        idle_s: seconds after which one that nobody asks is ended.
        forks: sandboxes after which a zygote is replaced by a fresh one, with another address layout.
        ready: most sandboxes that a zygote keeps ready.
    """

    zygotes: int = 8
    idle_s: float = 300.0
    forks: int = 2_000
    ready: int = 4


@dataclass(slots=True)
class _Family:
    """A zygote and what has come of it."""

    org_id: str
    zygote: Zygote
    groups: CgroupTree | None
    user_id: int
    ready: deque[NamespaceSandbox] = field(default_factory=deque[NamespaceSandbox])
    preparing: set[asyncio.Task[None]] = field(default_factory=set[asyncio.Task[None]])
    out: int = 0
    forks: int = 0
    used_at_s: float = 0.0
    retired: bool = False


class Nursery:
    """Hands out prepared sandboxes; each organisation and image has a zygote of its own."""

    def __init__(
        self,
        host: HostSetup,
        root_group: CgroupTree | None,
        blueprints: Blueprints,
        options: NurseryOptions,
        clock: Clock,
    ) -> None:
        self._host = host
        self._groups = OrganisationGroups(root_group)
        self._blueprints = blueprints
        self._options = options
        self._clock = clock
        self._families: OrderedDict[Key, _Family] = OrderedDict()
        self._starting: dict[Key, asyncio.Task[_Family]] = {}
        self._user_ids = UserIds(is_root=host.is_root)
        self._numbers = itertools.count()
        self._closing: set[asyncio.Task[None]] = set()
        self._taking = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._closed = False
        self._dialler = EgressDialler()

    async def take(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> NamespaceSandbox:
        """Return a sandbox for `spec`.

        Raises:
            LaunchFailedError: when none can be made; `on_gone` is not called then.
        """
        self._taking += 1
        self._quiet.clear()
        try:
            try:
                return await self._take(spec, on_gone)
            except ZygoteDiedError:  # of an earlier one, just now
                return await self._take(spec, on_gone)
        finally:
            self._taking -= 1
            if not self._taking:
                self._quiet.set()

    async def _take(self, spec: SandboxSpec, on_gone: Callable[[], None]) -> NamespaceSandbox:
        self._require_open()
        alone = spec.strict or spec.egress or spec.read_only_paths or spec.writable_paths
        if alone:
            family = await self._found(spec)
            family.retired = True
        else:
            family = await self._family((spec.org_id, spec.image.digest), spec)
        family.out += 1
        family.used_at_s = self._clock.monotonic()
        try:
            self._require_open()
            sandbox = await self._next(family, network=bool(spec.egress))
            try:
                sandbox.hand_out(spec, lambda: self._gone(family, on_gone))
            except BaseException:
                await asyncio.shield(sandbox.destroy())
                raise
        except BaseException:
            self._gone(family, lambda: None)
            raise
        if not alone:
            self._keep_ready(family)
        return sandbox

    def _require_open(self) -> None:
        if self._closed:
            raise LaunchFailedError("process", 0, "the service stops")

    async def retire_idle(self) -> None:
        """End what nobody has asked for a while. Runs until it is cancelled.

        First all ready sandboxes of a zygote but one, then the zygote.
        """
        while True:
            await asyncio.sleep(min(self._options.idle_s, _LOOK_EVERY_S))
            now_s = self._clock.monotonic()
            for key, family in list(self._families.items()):
                idle_s = now_s - family.used_at_s
                if not family.out and idle_s >= self._options.idle_s:
                    self._retire(key)
                elif idle_s >= _LOOK_EVERY_S:
                    while len(family.ready) > 1:
                        family.ready.popleft().discard()

    async def refuse(self) -> None:
        """Take no further orders, and wait until those under way have ended. Idempotent."""
        self._closed = True
        starting = list(self._starting.values())
        for task in starting:
            task.cancel()
        await asyncio.gather(*starting, return_exceptions=True)
        await self._quiet.wait()

    async def close(self) -> None:
        """End all zygotes and what they keep ready, and wait for it. What was handed out has to be destroyed before."""
        await self.refuse()
        for key in list(self._families):
            self._retire(key)
        while self._closing:
            await asyncio.wait(set(self._closing))
        self._dialler.close()

    async def _family(self, key: Key, spec: SandboxSpec) -> _Family:
        family = self._families.get(key)
        if family and (not family.zygote.is_alive or family.forks >= self._options.forks):
            self._retire(key)
            family = None
        if family is None:
            task = self._starting.get(key)
            if task is None:
                task = self._starting[key] = asyncio.create_task(self._found(spec))
                task.add_done_callback(lambda done: self._founded(key, done))
            family = await asyncio.shield(task)
            if family.retired:  # between its start and now, for others
                return await self._family(key, spec)
        if key in self._families:
            self._families.move_to_end(key)
        return family

    def _founded(self, key: Key, task: asyncio.Task[_Family]) -> None:
        del self._starting[key]
        if not task.cancelled() and task.exception() is None:
            self._families[key] = task.result()
            idle = [other for other, family in self._families.items() if not family.out and other != key]
            for other in idle[: max(0, len(self._families) - self._options.zygotes)]:
                self._retire(other)

    async def _found(self, spec: SandboxSpec) -> _Family:
        user_id = await self._user_ids.take(spec)
        try:
            zygote = Zygote(self._host.layout.executable, await asyncio.to_thread(self._blueprints.of, spec, user_id))
            groups = await self._groups.take(spec.org_id)
            try:
                await zygote.start()
            except BaseException:
                await asyncio.shield(self._groups.give_back(spec.org_id, groups))
                raise
        except OSError as error:
            self._user_ids.give_back(user_id)
            raise LaunchFailedError("process", error.errno or 0, "its control group cannot be made") from error
        except BaseException:
            self._user_ids.give_back(user_id)
            raise
        return _Family(spec.org_id, zygote, groups, user_id, used_at_s=self._clock.monotonic())

    async def _next(self, family: _Family, *, network: bool) -> NamespaceSandbox:
        while family.ready:
            sandbox = family.ready.popleft()
            if sandbox.is_alive:
                return sandbox
            await sandbox.destroy()
        return await self._prepared(family, network=network)

    async def _prepared(self, family: _Family, *, network: bool = False) -> NamespaceSandbox:
        """Return a new sandbox whose isolation is built and whose group, without limits, PID 1 is in."""
        family.forks += 1
        group = await asyncio.to_thread(family.groups.create, str(next(self._numbers))) if family.groups else None
        try:
            spawned = await family.zygote.spawn(network=network)
        except BaseException:
            if group:
                await asyncio.to_thread(group.remove)
            raise
        sandbox = NamespaceSandbox(self._host, spawned, group, Around(family.user_id, self._clock, self._dialler))
        try:
            # What PID 1 says of itself explains why it cannot be moved, not the other way round.
            _, refused = await asyncio.gather(sandbox.ready(), _moved(group, spawned))
            _accept(refused)
        except BaseException:
            await asyncio.shield(sandbox.destroy())
            raise
        return sandbox

    def _keep_ready(self, family: _Family) -> None:
        """Prepare for the next callers: as many as are being served now, within bounds."""
        wanted = min(self._options.ready, max(1, family.out))
        for _ in range(wanted - len(family.ready) - len(family.preparing)):
            task = asyncio.create_task(self._prepare(family))
            family.preparing.add(task)
            task.add_done_callback(family.preparing.discard)

    async def _prepare(self, family: _Family) -> None:
        try:
            sandbox = await self._prepared(family)
        except LaunchFailedError as failure:
            _log.warning("sandbox_not_prepared", stage=failure.stage, error=str(failure))
            return
        if family.retired:
            await sandbox.destroy()
        else:
            family.ready.append(sandbox)

    def _gone(self, family: _Family, then: Callable[[], None]) -> None:
        family.out -= 1
        then()
        if family.retired and not family.out:
            self._end(family)

    def _retire(self, key: Key) -> None:
        family = self._families.pop(key)
        family.retired = True
        if not family.out:
            self._end(family)

    def _end(self, family: _Family) -> None:
        task = asyncio.create_task(self._bury(family))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def _bury(self, family: _Family) -> None:
        """End a family of which nothing is handed out any more."""
        if family.preparing:
            await asyncio.wait(set(family.preparing))
        while family.ready:
            await family.ready.popleft().destroy()
        await family.zygote.stop()
        await self._groups.give_back(family.org_id, family.groups)
        self._user_ids.give_back(family.user_id)


async def _moved(group: RunGroup | None, spawned: Spawned) -> int:
    """Move a PID 1 into its group; return the errno of a refusal, 0 for none."""
    try:
        if group:
            await asyncio.to_thread(group.join, spawned.process_id)
    except OSError as error:
        return error.errno or -1
    return 0


def _accept(refused: int) -> None:
    if refused:
        raise LaunchFailedError("process", refused, "its control group takes nobody")
