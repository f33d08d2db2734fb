"""The registry: contracts of the operator's files, and registered ones in SQLite.

Snapshots are made when something changes and kept by organisation, so that `current` is one look into a mapping.
Several replicas may share the database: each notices the others' changes within `poll_s`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sqlalchemy.ext.asyncio import AsyncConnection

from provider_router.adapters import contract_rows
from provider_router.adapters.contract_rows import Answered, Versions
from provider_router.adapters.yaml_file.watched_files import InForce, WatchedFiles
from provider_router.domain.configuration.problem import ConfigurationProblem
from provider_router.domain.contracts.configuration import Configuration
from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.contract_document import registry_digest
from provider_router.domain.contracts.registry_change import (
    Change,
    Removal,
    registered,
    removed,
    replaced,
    request_id_reused,
)
from provider_router.domain.contracts.registry_view import FilesState, snapshot_of, together
from provider_router.domain.contracts.service import RegistrySnapshot
from shared.clock import Clock
from shared.errors import NexusError
from shared.storage import Database
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_Own: TypeAlias = Mapping[str, Contract]
_Settled: TypeAlias = Callable[[Configuration, _Own], Contract | None]


@dataclass(frozen=True, slots=True)
class _Contents:
    """What snapshots are made of: the files, and registered contracts by organisation and name."""

    files: InForce[Configuration]
    registered: Mapping[str, _Own] = field(default_factory=dict[str, _Own])
    versions: Versions = field(default_factory=lambda: Versions(0, 0))


@dataclass(frozen=True, slots=True)
class _Request:
    """One change that was asked for; `fingerprint` tells what."""

    org_id: str
    name: str
    request_id: str
    fingerprint: str


class SqliteServiceRegistry:
    """Implements `ServiceRegistry`.

    Args:
        database: Opened and closed by who made it; open before `load`.
        files: The operator's files; looked at by `watch`.
        clock: For the times of changes.
        poll_s: Seconds between two looks at the files and at the database.
    """

    def __init__(self, database: Database, files: WatchedFiles[Configuration], clock: Clock, poll_s: float) -> None:
        self._database = database
        self._files = files
        self._clock = clock
        self._poll_s = poll_s
        self._contents = _Contents(files.current())
        # By organisation; the snapshot of the files alone under the empty name.
        self._views: Mapping[str, RegistrySnapshot] = {"": RegistrySnapshot(digest=registry_digest(()))}
        self._everything = self._views[""]
        # One change at a time; readers never wait for it.
        self._changing = asyncio.Lock()
        self._changed = asyncio.Event()

    def current(self, org_id: str = "") -> RegistrySnapshot:
        """The snapshot in force as `org_id` sees it."""
        return self._views.get(org_id) or self._views[""]

    def everything(self) -> RegistrySnapshot:
        """Every service of every organisation."""
        return self._everything

    def problems(self) -> Sequence[ConfigurationProblem]:
        """What was wrong in the operator's files when the snapshots in force were made."""
        return self._contents.files.problems

    async def changes(self, after_version: int, org_id: str = "") -> AsyncGenerator[RegistrySnapshot, None]:
        """Yields the snapshot in force if it is newer than `after_version`, then each newer one."""
        while True:
            changed = self._changed
            snapshot = self.current(org_id)
            if snapshot.version > after_version:
                after_version = snapshot.version
                yield snapshot
            else:
                await changed.wait()

    async def load(self) -> None:
        """Reads files and database for the first time. Wrong files are no error; the snapshots say what is wrong.

        Raises:
            UpstreamDown: The database cannot be used.
        """
        await self._files.load()
        async with self._changing:
            async with self._database.begin() as connection:
                stored = await contract_rows.read_contracts(connection)
                versions = await contract_rows.count_up(connection, contracts_changed=False)
            await self._take(_Contents(self._files.current(), stored, versions), stored.keys())

    async def watch(self) -> None:
        """Looks at files and database again and again, until cancelled."""
        while True:
            await asyncio.sleep(self._poll_s)
            await self.refresh()

    async def refresh(self) -> None:
        """Takes what changed in files and database. A database that is down keeps no file from being taken."""
        await self._files.load()
        async with self._changing:
            before, files = self._contents, self._files.current()
            try:
                after = await self._looked_at(before, files)
            except NexusError as error:
                _log.warning("registry_database_unread", reason=error.reason)
                counted = _later(before.versions, before)
                after = before if files is before.files else replace(before, files=files, versions=counted)
            if after is not before:
                every = before.registered.keys() | after.registered.keys()
                await self._take(after, {org for org in every if _own(before, org) != _own(after, org)})

    async def register(self, change: Change) -> Contract:
        """Adds a contract of an organisation."""
        asked = change.contract
        today = self._clock.now().date()
        made = await self._settle(_request(change, "register"), lambda files, own: registered(asked, files, own, today))
        return made or asked

    async def update(self, change: Change) -> Contract:
        """Replaces a registered contract."""
        asked = change.contract
        today = self._clock.now().date()
        made = await self._settle(_request(change, "update"), lambda files, own: replaced(asked, files, own, today))
        return made or asked

    async def deregister(self, removal: Removal) -> None:
        """Removes a registered contract."""

        def settled(files: Configuration, own: _Own) -> None:
            removed(removal.name, files, own)

        request = _Request(removal.org_id, removal.name, removal.request_id, removal.fingerprint)
        await self._settle(request, settled)

    async def _settle(self, request: _Request, settled: _Settled) -> Contract | None:
        """Makes a change, once for each request id: the contract becomes what `settled` returns, None for no more."""
        async with self._changing:
            before = self._contents
            async with self._database.begin() as connection:
                answered = await contract_rows.answer_to(connection, request.org_id, request.request_id)
                if answered is not None:
                    if answered.fingerprint != request.fingerprint:
                        raise request_id_reused(request.request_id)
                    return answered.contract
                # From the database: another replica may have changed them since the last look.
                stored = await contract_rows.read_contracts(connection, request.org_id)
                own = stored.get(request.org_id, {})
                contract = settled(before.files.value, own)
                versions = await self._write(connection, request, contract)
            left = {name: each for name, each in own.items() if name != request.name}
            own = left if contract is None else {**left, request.name: contract}
            if versions.contracts != before.versions.contracts + 1:
                # Somebody else's change is in between; the next look finds it.
                versions = replace(versions, contracts=before.versions.contracts)
            every = {**before.registered, request.org_id: own}
            await self._take(_Contents(before.files, every, _later(versions, before)), {request.org_id})
            return contract

    async def _write(self, connection: AsyncConnection, request: _Request, contract: Contract | None) -> Versions:
        """Writes what a request comes to, with its answer; returns the versions with it."""
        now = self._clock.now()
        if contract is None:
            await contract_rows.remove_contract(connection, request.org_id, request.name)
        else:
            await contract_rows.put_contract(connection, contract, now)
        answer = Answered(request.fingerprint, contract)
        await contract_rows.note_answer(connection, (request.org_id, request.request_id), answer, now)
        return await contract_rows.count_up(connection, contracts_changed=True)

    async def _looked_at(self, before: _Contents, files: InForce[Configuration]) -> _Contents:
        """The contents after a look at the database; `before` itself when nothing changed."""
        async with self._database.connect() as connection:
            seen = await contract_rows.read_versions(connection)
        if files is before.files and seen.contracts == before.versions.contracts:
            return before
        stored = before.registered
        async with self._database.begin() as connection:
            if seen.contracts != before.versions.contracts:
                stored = await contract_rows.read_contracts(connection)
            versions = await contract_rows.count_up(connection, contracts_changed=False)
        return _Contents(files, stored, _later(versions, before))

    async def _take(self, contents: _Contents, touched: Collection[str]) -> None:
        """Puts `contents` in force; `touched` are the organisations whose own contracts changed."""
        views, everything = await asyncio.to_thread(self._remade, contents, touched)
        self._views, self._everything, self._contents = views, everything, contents
        self._changed.set()
        self._changed = asyncio.Event()

    def _remade(
        self, contents: _Contents, touched: Collection[str]
    ) -> tuple[dict[str, RegistrySnapshot], RegistrySnapshot]:
        """The snapshots of `contents`, and that of all of them; those that are not affected are kept.

        Takes time, so it runs in a thread.
        """
        files, now = contents.files, self._clock.now()
        state = FilesState(files.value, files.digest)
        views = dict(self._views)
        for org_id in {*views, *touched}:
            before = views.get(org_id)
            if before is None or org_id in touched or files.value is not self._contents.files.value:
                views[org_id] = snapshot_of(state, _own(contents, org_id), contents.versions.registry, now)
        return views, together(views.values(), views[""])


def _later(versions: Versions, before: _Contents) -> Versions:
    """`versions`, later than `before` even where the database was down and missed some."""
    return replace(versions, registry=max(versions.registry, before.versions.registry + 1))


def _own(contents: _Contents, org_id: str) -> _Own:
    return contents.registered.get(org_id, {})


def _request(change: Change, verb: str) -> _Request:
    contract = change.contract
    return _Request(contract.org_id, contract.name, change.request_id, f"{verb} {change.fingerprint}")
