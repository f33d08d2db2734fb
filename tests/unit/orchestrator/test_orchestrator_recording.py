"""How events get into the log: in batches, in order, by one writer."""

from __future__ import annotations

import asyncio

import pytest
from orchestrator_fakes import FakeStore, new_run

from orchestrator.domain.errors import LogUnwritable
from orchestrator.domain.events import (
    AnswerReset,
    StepStarted,
    TokenDelta,
    ToolCallStarted,
    streamed_text,
)
from orchestrator.use_cases.record_events import RecordEvents
from shared.errors import UpstreamDown
from shared.testing.fakes import FakeClock

TOOL = ToolCallStarted("c", "t", "{}")


async def begun(store: FakeStore):
    await store.accept(new_run())
    return await store.begin("org-a", "run-1", FakeClock().now())


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


@pytest.fixture
async def events(store):
    recorder = RecordEvents(store, FakeClock(), await begun(store))
    recorder.open()
    yield recorder
    await recorder.close(flush=False)


def texts(store: FakeStore) -> list[str]:
    return [e.payload.text for batch in store.batches for e in batch if isinstance(e.payload, TokenDelta)]


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_the_first_text_goes_out_at_once_and_the_next_are_merged(store, events) -> None:
    await events.say("Once")
    await settle()
    assert texts(store) == ["Once"]
    for word in (" upon", " a", " time"):
        await events.say(word)
    await settle()
    assert texts(store) == ["Once"]
    await events.flush()
    assert texts(store) == ["Once", " upon a time"]
    assert events.text == "Once upon a time"


async def test_text_goes_out_by_itself_after_a_moment(store, events) -> None:
    await events.say("a")
    await settle()
    await events.say("b")
    await asyncio.sleep(0.08)
    assert texts(store) == ["a", "b"]


async def test_much_text_goes_out_at_once(store, events) -> None:
    await events.say("a")
    await settle()
    await events.say("b" * 256)
    await settle()
    assert texts(store) == ["a", "b" * 256]


async def test_events_take_waiting_text_along_in_order(store, events) -> None:
    await events.say("a")
    await settle()
    await events.say("b")
    events.note(TOOL)
    await settle()
    assert [type(e.payload) for e in store.batches[-1]] == [TokenDelta, ToolCallStarted]


async def test_events_that_can_wait_go_out_with_the_next(store, events) -> None:
    events.note(StepStarted("prepare", 1), urgent=False)
    await settle()
    assert store.batches == []
    await events.say("a")
    await settle()
    assert [len(batch) for batch in store.batches] == [2]


async def test_a_reset_gives_watchers_the_text_that_stands(store, events) -> None:
    await events.say("wrong")
    events.reset("again", "right")
    await events.flush()
    log = [event.payload for event in store.log["run-1"]]
    assert AnswerReset("again") in log
    assert streamed_text(log) == events.text == "right"


async def test_closing_hands_over_what_waits_or_writes_it(store) -> None:
    for flush in (False, True):
        recorder = RecordEvents(store, FakeClock(), await begun(store))
        recorder.open()
        recorder.note(StepStarted("model", 1), urgent=False)
        rest = await recorder.close(flush=flush)
        assert [event.payload for event in rest] == ([] if flush else [StepStarted("model", 1)])
    assert store.log["run-1"][-1].payload == StepStarted("model", 1)


async def test_a_cancelled_speaker_leaves_no_event_twice_or_out_of_order(store, events) -> None:
    async def speak() -> None:
        for number in range(1000):
            await events.say(f"{number} ")
            await asyncio.sleep(0)

    task = asyncio.create_task(speak())
    for _ in range(300):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    said = events.text
    await events.flush()
    assert streamed_text([event.payload for event in store.log["run-1"]]) == said
    assert [event.sequence for event in store.log["run-1"]] == list(range(1, len(store.log["run-1"]) + 1))


async def test_a_log_that_cannot_be_written_stops_the_work(store, events) -> None:
    store.error = UpstreamDown("STORAGE_FULL", "Full.")
    await events.say("a")
    with pytest.raises(LogUnwritable):
        await events.flush()
    with pytest.raises(LogUnwritable):
        await events.say("b")


async def test_a_fast_speaker_waits_for_a_slow_log(store, events) -> None:
    gate = asyncio.Event()
    append = store.append

    async def slow(run, new):
        await gate.wait()
        return await append(run, new)

    store.append = slow
    speaking = asyncio.create_task(_speak_much(events))
    await asyncio.sleep(0.05)
    assert not speaking.done()
    assert len(events.text) < 20_000
    gate.set()
    await asyncio.wait_for(speaking, 5)
    assert len(events.text) == 100_000


async def _speak_much(events: RecordEvents) -> None:
    for _ in range(1000):
        await events.say("x" * 100)
