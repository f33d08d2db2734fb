"""Where services are registered."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Protocol

from provider_router.domain.contracts.contract import Contract
from provider_router.domain.contracts.registry_change import Change, Removal
from provider_router.domain.contracts.service import RegistrySnapshot


class ServiceRegistry(Protocol):
    """The contracts of the operator's files, and beside them those that organisations registered.

    Versioned and copy-on-write: a snapshot never changes, a change makes another one. An organisation sees the files'
    contracts and its own, never another organisation's.
    """

    def current(self, org_id: str = "") -> RegistrySnapshot:
        """The snapshot in force as `org_id` sees it; that of the files alone without one. Never raises, never blocks.

        The same object until something changes.
        """
        ...

    def everything(self) -> RegistrySnapshot:
        """Every service of every organisation, for measurements alone: never to decide by, and never to be shown.

        Where two organisations registered one name, one of the two contracts stands for both: what is called is the
        same. The same object until something changes. Never raises, never blocks.
        """
        ...

    def changes(self, after_version: int, org_id: str = "") -> AsyncGenerator[RegistrySnapshot, None]:
        """Yields the snapshot in force if it is newer than `after_version`, then each newer one, without end.

        A slow reader misses what was replaced meanwhile, and always gets the newest. Versions go on across restarts.
        """
        ...

    async def register(self, change: Change) -> Contract:
        """Adds a contract of an organisation; durable and in force when it returns. Idempotent by request.

        Returns:
            The contract as it is registered.

        Raises:
            InvalidInput: PROVIDER_UNKNOWN, when no provider of that name is configured; CONTRACT_INVALID, when its
                dialect cannot do what the contract promises.
            AlreadyExists: CONTRACT_EXISTS, also for a name of the files; REQUEST_ID_REUSED.
            QuotaExceeded: CONTRACT_LIMIT.
            UpstreamDown: The store cannot be written.
        """
        ...

    async def update(self, change: Change) -> Contract:
        """Replaces a registered contract; `change.contract.version` is the version that is replaced.

        Idempotent by request. Returns the contract as it is now, with the next version.

        Raises:
            NotFound: CONTRACT_UNKNOWN.
            StaleWrite: CONTRACT_CHANGED, when another version is in force.
            PreconditionFailed: CONTRACT_FROM_FILE, for one that stands in a file.
            InvalidInput, AlreadyExists, UpstreamDown: As `register`.
        """
        ...

    async def deregister(self, removal: Removal) -> None:
        """Removes a registered contract. Idempotent by request.

        Raises:
            NotFound: CONTRACT_UNKNOWN.
            PreconditionFailed: CONTRACT_FROM_FILE.
            AlreadyExists: REQUEST_ID_REUSED.
            UpstreamDown: The store cannot be written.
        """
        ...
