"""Working on runs: recovery, order, storage that fails, and what is remembered of other services."""

from __future__ import annotations

import asyncio

import pytest
from orchestrator_fakes import NATIVE, FakePeers, FakeRunner, FakeStore, asks, new_run, says
from orchestrator_service import FakeWorld

from orchestrator.adapters.model_catalog_remembered import RememberedModelCatalog
from orchestrator.adapters.remembered import Remembered
from orchestrator.adapters.run_runner_inprocess import InProcessRunner, RunnerLimits
from orchestrator.adapters.run_signal_inprocess import InProcessRunSignal
from orchestrator.domain.events import AnswerReset, StepStarted, ToolCallFinished
from orchestrator.domain.run import Failure, Run, RunStatus
from orchestrator.use_cases.start_run import Question, StartRun
from shared.auth.context import acting_as, current_principal
from shared.clock import SystemClock
from shared.errors import InvalidInput, QuotaExceeded, UpstreamDown
from shared.ids import new_id
from shared.testing.fakes import FakeClock, SequenceIds
from shared.testing.harness import principal


async def ended(world: FakeWorld, run_id: str = "run-1") -> Run:
    async with asyncio.timeout(5):
        while not world.store.runs[run_id].status.final:
            await asyncio.sleep(0.005)
    return world.store.runs[run_id]


@pytest.fixture
async def world():
    world = FakeWorld()
    yield world
    assert world.runner
    await world.runner.stop()


async def test_a_run_that_was_accepted_and_never_started_is_started(world) -> None:
    await world.store.accept(new_run())
    await world.service().start()
    assert (await ended(world)).answer == "Hello."


@pytest.mark.parametrize("node", ["prepare", "model", "tools", "validate", "respond"])
async def test_a_process_that_dies_behind_any_node_loses_nothing_and_repeats_no_tool(world, node) -> None:
    world.models.answers = [asks(("a", "calculator", "{}"), text="Wait."), says("4")]
    world.graph.die_after = node
    await world.store.accept(new_run())
    await world.service().start()
    while not world.store.released:
        await asyncio.sleep(0.001)
    await world.runner.stop()
    world.store.released.clear()
    await world.service().start()
    run = await ended(world)
    assert (run.status, run.answer, run.attempt, run.crashes) == (RunStatus.COMPLETED, "Wait.\n\n4", 2, 1)
    log = [event.payload for event in world.store.log["run-1"]]
    assert sum(isinstance(event, ToolCallFinished) for event in log) == 1
    assert not any(isinstance(event, AnswerReset) for event in log)
    assert len(world.tools.requests) == 1
    steps = [event.step for event in log if isinstance(event, StepStarted)]
    assert steps == ["prepare", "model", "tools", "model", "validate", "respond"]
    assert world.graph.checkpoints == {}


async def test_a_run_whose_log_cannot_be_written_is_taken_up_again_when_it_can(world) -> None:
    world.store.error = UpstreamDown("STORAGE_FULL", "Full.")
    await world.store.accept(new_run())
    service = world.service()
    await service.start()
    await asyncio.sleep(0.02)
    assert not world.store.runs["run-1"].status.final
    world.store.error = None
    sweeping = asyncio.create_task(service.background[0]())
    assert (await ended(world)).answer == "Hello."
    sweeping.cancel()
    await asyncio.wait({sweeping})


async def test_work_is_done_on_behalf_of_who_asked(world) -> None:
    seen = []

    async def answer(request):
        seen.append(current_principal())
        async for event in says("ok")(request):
            yield event

    who = principal("org-z", "user-9", roles=("viewer",), permissions=("runs.*",))
    world.models.answers = [answer]
    await world.store.accept(new_run(principal=who))
    await world.service().start()
    await ended(world)
    assert seen == [who]


async def test_runs_of_one_conversation_take_turns_and_others_do_not_wait() -> None:
    store, at_work, most = FakeStore(), [], []
    for number, conversation in ((1, ""), (2, "conv-run-1"), (3, "")):
        await store.accept(new_run(f"run-{number}", conversation_id=conversation))
    started = asyncio.Event()

    async def drive(_: str, run_id: str) -> None:
        at_work.append(run_id)
        most.append(set(at_work))
        if len(at_work) == 2:
            started.set()
        await started.wait()
        at_work.remove(run_id)

    runner = InProcessRunner(store, drive, _never, RunnerLimits())
    await runner.recover()
    await asyncio.sleep(0.02)
    assert {"run-1", "run-3"} in most
    assert not any({"run-1", "run-2"} <= together for together in most)
    assert any("run-2" in together for together in most)
    await runner.stop()


async def _never(org_id: str, run_id: str, why: Failure | str) -> Run:
    raise AssertionError((org_id, run_id, why))


async def test_only_so_many_runs_work_and_wait() -> None:
    store, working = FakeStore(), []

    async def drive(_: str, run_id: str) -> None:
        working.append(run_id)
        await asyncio.Event().wait()

    runner = InProcessRunner(store, drive, _never, RunnerLimits(concurrent=2, waiting=1))
    for number in range(3):
        runner.check_room()
        runner.submit((await store.accept(new_run(f"run-{number}"))).run.ticket)
    await asyncio.sleep(0.01)
    assert working == ["run-0", "run-1"]
    with pytest.raises(QuotaExceeded, match="TOO_MANY_RUNS"):
        runner.check_room()
    await runner.stop()
    assert [task for task in asyncio.all_tasks() if task is not asyncio.current_task()] == []


async def test_once_it_stops_nothing_is_begun_and_watchers_are_told() -> None:
    world = FakeWorld()
    service = world.service()
    assert world.runner
    await service.start()
    await service.halt()
    await service.halt()
    with pytest.raises(UpstreamDown, match="STOPPING"):
        world.runner.check_room()
    signal = InProcessRunSignal()
    with signal.subscribed("run-1") as ear:
        waiting = asyncio.create_task(ear.wait(60))
        await asyncio.sleep(0)
        signal.close()
        await asyncio.wait_for(waiting, 1)
        with pytest.raises(UpstreamDown, match="STOPPING"):
            await ear.wait(60)


async def test_a_refused_question_is_not_stored() -> None:
    runner = FakeRunner(full=QuotaExceeded("TOO_MANY_RUNS", "Full."))
    world = FakeWorld(runner=None)
    start = StartRun(world.store, runner, world.peers, world.peers, FakeClock(), SequenceIds())
    with pytest.raises(QuotaExceeded):
        await start(principal(), Question("Hi"))
    assert world.store.runs == {}


async def test_a_question_is_stored_before_it_is_handed_on_and_again_when_it_is_repeated() -> None:
    world, runner = FakeWorld(), FakeRunner()
    start = StartRun(world.store, runner, world.peers, world.peers, SystemClock(), new_id)
    run = await start(principal(), Question("Hi", model=NATIVE.name, request_id="r"))
    again = await start(principal(), Question("Hi", model=NATIVE.name, request_id="r"))
    assert run == again
    assert runner.submitted == [run.run_id, run.run_id]


async def test_a_router_that_is_down_does_not_keep_questions_out() -> None:
    world, runner = FakeWorld(), FakeRunner()
    world.peers.router_error = UpstreamDown("UNREACHABLE", "Down.")
    start = StartRun(world.store, runner, world.peers, world.peers, SystemClock(), new_id)
    assert (await start(principal(), Question("Hi", model="any/model"))).run_id in world.store.runs


async def test_a_value_is_read_once_a_second_and_outlives_a_restart_of_its_service() -> None:
    clock, reads = FakeClock(), []

    async def read() -> int:
        reads.append(current_principal().user_id)
        if len(reads) > 3:
            raise UpstreamDown("UNREACHABLE", "Down.")
        return len(reads)

    value = Remembered(read, clock)
    with acting_as(principal()):
        assert [await value.get(), await value.get()] == [1, 1]
        clock.advance(1.5)
        assert await value.get() == 2
    with acting_as(principal(user_id="user-2")):
        assert await value.get() == 3
        clock.advance(200)
        assert await value.get() == 3
        clock.advance(200)
        with pytest.raises(UpstreamDown):
            await value.get()
    assert reads[:3] == ["user-1", "user-1", "user-2"]


async def test_many_who_ask_at_once_cause_one_read() -> None:
    reads = []

    async def read() -> int:
        reads.append(1)
        await asyncio.sleep(0.01)
        return len(reads)

    value = Remembered(read, FakeClock())
    with acting_as(principal()):
        assert await asyncio.gather(*(value.get() for _ in range(20))) == [1] * 20


async def test_a_signal_that_comes_before_the_wait_is_not_lost_and_costs_nothing_unheard() -> None:
    signal = InProcessRunSignal()
    signal.notify("nobody")
    with signal.subscribed("r") as ear, signal.subscribed("r") as other:
        signal.notify("r")
        async with asyncio.timeout(1):
            await ear.wait(60)
            await other.wait(60)
            await ear.wait(0.001)
    assert signal._ears == {}


async def test_a_model_that_was_added_this_very_second_is_known() -> None:
    peers, clock = FakePeers(known_models=()), FakeClock()
    catalog = RememberedModelCatalog(peers, clock)
    start = StartRun(FakeStore(), FakeRunner(), FakePeers(), catalog, clock, SequenceIds())
    with acting_as(principal()):
        assert (await catalog.catalogue()).models == ()
        with pytest.raises(InvalidInput, match="MODEL_UNKNOWN"):
            await start(principal(), Question("Hi", model=NATIVE.name))
        peers.known_models = (NATIVE,)
        assert (await start(principal(), Question("Hi", model=NATIVE.name))).requested_model == NATIVE.name
