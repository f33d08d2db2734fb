"""The host users of sandboxes: one that nobody else has, for each zygote."""

from __future__ import annotations

import asyncio
import itertools
import os
import secrets

from sandbox_service.adapters.namespaces.failures import LaunchFailedError
from sandbox_service.domain.errors import path_refused
from sandbox_service.ports.isolation_backend import SandboxSpec

FIRST_USER_ID = 0x4E580000
USER_IDS = 1 << 16


class UserIds:
    """Hands out user ids above those of people; a service that is not root has only its own.

    Args:
        is_root: whether the service may choose.
        first: the first of them.
        count: how many there are.
    """

    def __init__(self, *, is_root: bool, first: int = FIRST_USER_ID, count: int = USER_IDS) -> None:
        self._is_root = is_root
        self._first = first
        self._count = count
        self._taken: set[int] = set()
        self._next = itertools.count(secrets.randbelow(count))

    async def take(self, spec: SandboxSpec) -> int:
        """Return the user for a zygote of `spec`: the owner of the paths that it may write, else a fresh one.

        Raises:
            PreconditionFailed: PATH_REFUSED, when the paths belong to root or to several users.
            LaunchFailedError: when all users are taken.
        """
        if not self._is_root:
            return os.getuid()
        if spec.writable_paths:
            return await asyncio.to_thread(_owner, spec.writable_paths)
        for number in itertools.islice(self._next, self._count):
            user_id = self._first + number % self._count
            if user_id not in self._taken:
                self._taken.add(user_id)
                return user_id
        raise LaunchFailedError("process", 0, "every user for sandboxes is taken")

    def give_back(self, user_id: int) -> None:
        """Let another have the user."""
        self._taken.discard(user_id)


def group_of(path: str) -> int:
    """Return the group in which a program acts that may write below `path`: that of the path.

    Raises:
        PreconditionFailed: PATH_REFUSED, when it is root's.
    """
    try:
        group_id = os.stat(path).st_gid  # noqa: PTH116
    except OSError as error:
        raise path_refused(path, error.strerror or "it cannot be looked at") from error
    if group_id == 0:
        raise path_refused(
            path, "it belongs to root's group: give it an ordinary one (chgrp), in which the program acts"
        )
    return group_id


def _owner(paths: tuple[str, ...]) -> int:
    owners: dict[int, str] = {}
    for path in paths:
        try:
            owners[os.stat(path).st_uid] = path  # noqa: PTH116
        except OSError as error:
            raise path_refused(path, error.strerror or "it cannot be looked at") from error
    if 0 in owners:
        raise path_refused(
            owners[0], "it belongs to root: give it an ordinary owner (chown), whom the program then acts as"
        )
    if len(owners) > 1:
        raise path_refused(paths[0], "the writable paths belong to different users")
    return next(iter(owners))
