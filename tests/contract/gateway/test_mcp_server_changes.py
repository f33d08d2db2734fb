"""Who listens for changed lists, however many do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.mcp_server.domain.artifact import ArtifactPage
from gateway.mcp_server.domain.offer import Offer, OfferPage, SideEffect
from gateway.mcp_server.servicer.changes import Changes, Listener
from gateway.mcp_server.use_cases.list_artifacts import ListArtifacts
from gateway.mcp_server.use_cases.list_tools import ListTools
from shared.auth.context import current_principal
from shared.auth.principal import Principal
from shared.testing.harness import principal


class Lists:
    """Plays both lists: counts how often they are looked at."""

    def __init__(self) -> None:
        self.looks = 0
        self.callers: set[str] = set()
        self.offers: tuple[Offer, ...] = ()

    async def page(self, token: str) -> OfferPage:
        self.looks += 1
        self.callers.add(current_principal().user_id)
        await asyncio.sleep(0)
        return OfferPage(self.offers, "")


class NoArtifacts:
    async def page(self, token: str) -> ArtifactPage:
        return ArtifactPage((), "")


def as_key(key_id: str, **who: str) -> Callable[[], Awaitable[Principal]]:
    async def caller() -> Principal:
        return principal(key_id=key_id, **who)

    return caller


async def _listening(every_s: float, lists: Lists, told: set[int], done: Callable[[], bool]) -> None:
    changes = Changes(ListTools(lists), ListArtifacts(NoArtifacts()), every_s)

    def listener(number: int) -> Listener:
        async def tell() -> None:
            told.add(number)

        return Listener(tell, tell)

    callers = [*(as_key(f"key-{number}") for number in range(30)), as_key("key-1", user_id="user-2")]
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        watching = [group.create_task(changes.watch(who, listener(n))) for n, who in enumerate(callers)]
        while not done():
            await asyncio.sleep(0)
        for each in watching:
            each.cancel()


async def test_streams_of_one_user_share_their_looks() -> None:
    lists, turns = Lists(), iter(range(100))
    await _listening(1_000, lists, set(), lambda: next(turns, None) is None)
    assert lists.looks == 2
    assert lists.callers == {"user-1", "user-2"}


async def test_all_who_share_a_look_hear_of_the_change() -> None:
    lists, told = Lists(), set[int]()

    def all_told() -> bool:
        if lists.looks >= 4:
            lists.offers = (Offer("new", "", "{}", "", SideEffect.READ),)
        return len(told) == 31

    await _listening(0.01, lists, told, all_told)
