"""Tells watchers in this process; one process owns a database file, so nobody else can have changed it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager

from settings_service.domain.config import Config


class MemoryConfigFeed:
    """One mailbox of one configuration per watcher: a slow watcher costs no more memory than that."""

    def __init__(self) -> None:
        self._mailboxes: dict[str, set[asyncio.Queue[Config]]] = defaultdict(set)

    def publish(self, org_id: str, config: Config) -> None:
        """Put `config` into each mailbox of `org_id`, over what is there."""
        for mailbox in self._mailboxes.get(org_id, ()):
            while not mailbox.empty():
                mailbox.get_nowait()
            mailbox.put_nowait(config)

    @contextmanager
    def subscribed(self, org_id: str) -> Generator[AsyncIterator[Config]]:
        """Give the configurations published from now on, for the duration of the block."""
        mailbox: asyncio.Queue[Config] = asyncio.Queue(1)
        self._mailboxes[org_id].add(mailbox)
        try:
            yield _read(mailbox)
        finally:
            self._mailboxes[org_id].discard(mailbox)
            if not self._mailboxes[org_id]:
                del self._mailboxes[org_id]


async def _read(mailbox: asyncio.Queue[Config]) -> AsyncIterator[Config]:
    while True:
        yield await mailbox.get()
