"""One thing for each request, and nothing open that nobody was told of."""

from __future__ import annotations

import asyncio
import gc

import pytest

from sandbox_service.domain.order import Caller
from sandbox_service.use_cases.openings import Openings
from shared.errors import AlreadyExists

ME = Caller("org", "user")


class Shop:
    def __init__(self) -> None:
        self.kept: set[str] = set()
        self.made = 0
        self.given_up = 0
        self.go = asyncio.Event()
        self.fails = False
        self.openings = Openings(self.kept.__contains__)

    async def make(self) -> str:
        self.made += 1
        name = f"thing-{self.made}"
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        if self.fails:
            raise RuntimeError("it broke")
        self.kept.add(name)
        return name

    async def open(self, request_id: str = "r", order: object = "order", who: Caller = ME) -> str:
        return await self.openings.once((who, request_id), order, self.make)


async def test_a_request_that_comes_again_opens_nothing_more() -> None:
    shop = Shop()
    both = [asyncio.create_task(shop.open()) for _ in range(2)]
    await asyncio.sleep(0)
    shop.go.set()
    assert await asyncio.gather(*both) == ["thing-1", "thing-1"]
    assert await shop.open() == "thing-1"
    assert await shop.open(who=Caller("org", "other")) == "thing-2"
    shop.kept.discard("thing-1")
    assert await shop.open() == "thing-3"


async def test_requests_without_an_id_are_each_their_own() -> None:
    shop = Shop()
    shop.go.set()
    assert await shop.open("") != await shop.open("")


@pytest.mark.parametrize("ended", [True, False])
async def test_another_order_under_the_same_id_is_refused(*, ended: bool) -> None:
    shop = Shop()
    first = asyncio.create_task(shop.open())
    await asyncio.sleep(0)
    if ended:
        shop.go.set()
        await first
    with pytest.raises(AlreadyExists, match="REQUEST_ID_REUSED"):
        await shop.open(order="another")
    shop.go.set()
    assert await first == "thing-1"


@pytest.mark.parametrize("request_id", ["r", ""])
async def test_what_nobody_waits_for_any_more_is_given_up(request_id: str) -> None:
    shop = Shop()
    waiting = [asyncio.create_task(shop.open(request_id)) for _ in range(2)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0.01)
    assert shop.given_up == (0 if request_id else 1)
    waiting[1].cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await asyncio.sleep(0.01)
    assert shop.given_up == shop.made
    assert shop.kept == set()


async def test_a_failure_is_not_remembered_and_holds_nothing() -> None:
    shop = Shop()
    shop.go.set()
    shop.fails = True
    with pytest.raises(RuntimeError):
        await shop.open()
    shop.fails = False
    assert await shop.open() == "thing-2"
    gc.collect()
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_stopping_gives_up_what_is_being_opened() -> None:
    shop = Shop()
    waiting = [asyncio.create_task(shop.open(name)) for name in ("", "r")]
    await asyncio.sleep(0.01)
    await shop.openings.stop()
    assert shop.given_up == 2
    await asyncio.gather(*waiting, return_exceptions=True)
