"""Background work that fails is begun again, and says why."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import REGISTRY

from shared.errors import UpstreamDown
from shared.server import supervised
from shared.testing.fakes import FakeClock


class Work:
    """Fails as often as it has errors, after so many seconds each; then ends."""

    def __init__(self, *errors: Exception, lasts_s: float = 0.0) -> None:
        self.errors = list(errors)
        self.lasts_s = lasts_s
        self.begun = 0
        self.pauses: list[float] = []
        self.clock = FakeClock()

    async def __call__(self) -> None:
        self.begun += 1
        self.clock.advance(self.lasts_s)
        if self.errors:
            raise self.errors.pop(0)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def run(self, name: str) -> None:
        await supervised(name, self, sleep=self.sleep, monotonic=self.clock.monotonic)()


def failures(name: str, reason: str) -> float | None:
    return REGISTRY.get_sample_value("nexus_background_failures_total", {"work": name, "reason": reason})


async def test_work_that_fails_is_begun_again_later_and_later(capsys: pytest.CaptureFixture[str]) -> None:
    work = Work(*[UpstreamDown("STORAGE_BUSY", "Busy.") for _ in range(8)])
    await work.run("store")
    assert work.begun == 9
    assert work.pauses == [1, 2, 4, 8, 16, 32, 60, 60]
    assert failures("store", "STORAGE_BUSY") == 8
    logged = capsys.readouterr().out
    assert "STORAGE_BUSY" in logged
    assert "Traceback" not in logged


async def test_a_mistake_of_the_program_is_seen_with_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    work = Work(KeyError("nobody thought of that"))
    await work.run("mistaken")
    assert (work.begun, failures("mistaken", "INTERNAL")) == (2, 1)
    logged = capsys.readouterr().out
    assert "nobody thought of that" in logged
    assert "Traceback" in logged


async def test_what_went_well_for_a_minute_is_forgiven() -> None:
    work = Work(*[UpstreamDown("STORAGE_BUSY", "Busy.") for _ in range(3)], lasts_s=60)
    await work.run("patient")
    assert work.pauses == [1, 1, 1]


async def test_cancelling_ends_it() -> None:
    asked = asyncio.Event()

    async def work() -> None:
        asked.set()
        await asyncio.sleep(3600)

    task = asyncio.create_task(supervised("endless", work)())
    await asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
