"""Watchers that leave, whenever they leave, leave nothing behind."""

from __future__ import annotations

from settings_service.adapters.config_feed_memory import MemoryConfigFeed
from settings_service.domain.config import Config
from settings_service.use_cases.watch_config import WatchConfig
from shared.testing.harness import principal


class Store:
    async def read(self, org_id: str) -> Config:
        return Config()


async def test_a_watcher_that_leaves_after_the_first_answer_is_forgotten() -> None:
    feed = MemoryConfigFeed()
    for _ in range(3):
        watching = WatchConfig(Store(), feed).run(principal())
        assert (await anext(watching)).version == 0
        await watching.aclose()
    assert not feed._mailboxes


async def test_a_watcher_sees_newer_versions_only() -> None:
    feed = MemoryConfigFeed()
    watching = WatchConfig(Store(), feed).run(principal())
    await anext(watching)
    feed.publish("org-a", Config(version=2))
    assert (await anext(watching)).version == 2
    feed.publish("org-b", Config(version=9))
    feed.publish("org-a", Config(version=3))
    assert (await anext(watching)).version == 3
    await watching.aclose()
    assert not feed._mailboxes
