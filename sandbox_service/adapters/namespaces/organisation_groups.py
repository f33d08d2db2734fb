"""One control group for each organisation, in which all its zygotes have theirs: organisations weigh alike."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

from sandbox_service.adapters.namespaces.cgroups import CgroupTree


@dataclass(slots=True)
class _Shared:
    tree: CgroupTree
    users: int = 0


class OrganisationGroups:
    """Makes an organisation's group with its first zygote and removes it with its last.

    Args:
        root: the group of all sandboxes; None where there is none.
    """

    def __init__(self, root: CgroupTree | None) -> None:
        self._root = root
        self._numbers = itertools.count()
        self._shared: dict[str, _Shared] = {}
        self._lock = asyncio.Lock()

    async def take(self, org_id: str) -> CgroupTree | None:
        """Return a new group in the organisation's; None where there are no groups. Give it back.

        Raises:
            OSError: when the host refuses; nothing is left then.
        """
        if self._root is None:
            return None
        async with self._lock:
            shared = self._shared.get(org_id)
            if shared is None:
                shared = _Shared(await asyncio.to_thread(self._root.subtree, str(next(self._numbers)), 1.0))
                self._shared[org_id] = shared
            try:
                tree = await asyncio.to_thread(shared.tree.subtree, str(next(self._numbers)), 1.0)
            except OSError:
                await self._leave(org_id, shared)
                raise
            shared.users += 1
            return tree

    async def give_back(self, org_id: str, tree: CgroupTree | None) -> None:
        """Remove a group, which is empty, and the organisation's with the last of them."""
        if tree is None:
            return
        await asyncio.to_thread(tree.remove)
        async with self._lock:
            shared = self._shared[org_id]
            shared.users -= 1
            await self._leave(org_id, shared)

    async def _leave(self, org_id: str, shared: _Shared) -> None:
        if not shared.users:
            del self._shared[org_id]
            await asyncio.to_thread(shared.tree.remove)
