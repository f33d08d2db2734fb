"""Make the first organisation, its owner, and the owner's key."""

from __future__ import annotations

from collections.abc import Callable

from settings_service.domain.api_key import SECRET_BYTES, format_key, hash_key
from settings_service.ports.identity_store import IdentityStore, NewOwner
from settings_service.ports.key_file import KeyFile
from shared.clock import Clock
from shared.ids import IdSource


class BootstrapOwner:
    """Runs at every start and does something at the first."""

    def __init__(
        self,
        store: IdentityStore,
        key_file: KeyFile,
        clock: Clock,
        new_id: IdSource,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._store = store
        self._key_file = key_file
        self._clock = clock
        self._new_id = new_id
        self._random_bytes = random_bytes

    async def run(self) -> None:
        """Make the owner if there is no organisation yet.

        The key is written to its file before its hash is stored: a process killed in between makes a new key at its
        next start, and never leaves an owner whose key nobody has.
        """
        if await self._store.has_organisation():
            return
        api_key = format_key(self._random_bytes(SECRET_BYTES))
        await self._key_file.write(api_key)
        await self._store.create_owner(
            NewOwner(
                org_id=self._new_id(),
                org_name="default",
                user_id=self._new_id(),
                key_id=self._new_id(),
                key_hash=hash_key(api_key),
                at=self._clock.now(),
            )
        )
