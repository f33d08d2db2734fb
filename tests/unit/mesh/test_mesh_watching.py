"""Watching over processes, with processes, probes and time that the test owns."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath

import pytest

from mesh.supervisor.domain.process_spec import ProcessSpec
from mesh.supervisor.domain.process_status import Health
from mesh.supervisor.domain.restart_policy import RestartPolicy
from mesh.supervisor.use_cases.run_mesh import MeshIdentity, Observers, RunMesh
from mesh.supervisor.use_cases.stop_signal import StopSignal
from mesh.supervisor.use_cases.watch_process import Machine, ProcessWatcher, Timings
from shared.errors import PreconditionFailed, UpstreamDown

AT_ONCE = Timings(
    poll_starting_s=0, poll_unhealthy_s=0, poll_ready_s=0, stop_grace_s=0.01, start_timeout_s=5, log_check_s=60
)
POLICY = RestartPolicy(first_delay_s=0, longest_delay_s=0, start_attempts=3, silence_limit_s=30)


def spec(name="tools"):
    return ProcessSpec(name, name, {}, PurePath(f"/logs/{name}.log"), (), f"unix:/run/{name}.sock")


class Clock:
    """Each look at it takes a second."""

    def __init__(self):
        self.now_s = 0.0

    def now(self):
        return datetime(2026, 1, 1, tzinfo=UTC)

    def monotonic(self):
        self.now_s += 1.0
        return self.now_s


class Child:
    def __init__(self, pid, ends_with):
        self.pid = pid
        self.ended = asyncio.get_running_loop().create_future()
        self.asked = []
        self.obeys = True
        if ends_with:
            self.ended.set_result(ends_with)

    async def wait(self):
        return await asyncio.shield(self.ended)

    def terminate(self):
        self.asked.append("terminate")
        if self.obeys:
            self._end("exit code 0")

    def kill(self):
        if not self.ended.done():
            self.asked.append("kill")
        self._end("killed by SIGKILL")

    def _end(self, how):
        if not self.ended.done():
            self.ended.set_result(how)


class World:
    """The machine: `endings` says how each start of a process ends; None goes on."""

    def __init__(self, endings=(), healths=()):
        self.endings = list(endings)
        self.healths = list(healths)
        self.children = []
        self.statuses = []
        self.saved = []

    async def launch(self, spec):
        ending = self.endings.pop(0) if self.endings else None
        if ending == "impossible":
            raise UpstreamDown("LAUNCH_FAILED", "no memory")
        child = Child(100 + len(self.children), ending)
        self.children.append(child)
        return child

    async def check(self, spec, timeout_s):
        await asyncio.sleep(0)
        if self.children[-1].ended.done():
            return Health.SILENT
        return self.healths.pop(0) if len(self.healths) > 1 else (self.healths or [Health.SERVING])[0]

    async def read(self, spec, lines):
        return "last words"

    async def trim(self, spec):
        pass

    async def save(self, state):
        self.saved.append(state)

    def machine(self):
        return Machine(self, self, self, Clock())

    def watcher(self, timings=AT_ONCE):
        return ProcessWatcher(spec(), self.machine(), POLICY, timings, self.statuses.append)

    def states(self):
        return [status.state for status in self.statuses]


async def until(condition):
    async with asyncio.timeout(2):
        while not condition():
            await asyncio.sleep(0)


async def test_a_process_is_started_again_until_it_is_asked_to_stop():
    world, stop = World(endings=["exit code 1", "exit code 1"]), StopSignal()
    watching = asyncio.create_task(world.watcher().run(stop))
    await until(lambda: world.statuses and world.statuses[-1].state == "ready")
    stop.request()
    await watching
    assert world.states() == ["starting", "backoff", "starting", "backoff", "starting", "ready", "stopping", "stopped"]
    assert (world.statuses[-1].restarts, world.children[-1].asked) == (2, ["terminate"])


async def test_a_process_that_never_works_is_given_up():
    world = World(endings=["exit code 1"] * 9)
    await world.watcher().run(StopSignal())
    assert world.states()[-1] == "failed"
    assert len(world.children) == 3


async def test_a_start_that_the_machine_refuses_counts_as_a_crash():
    world = World(endings=["impossible"] * 9)
    await world.watcher().run(StopSignal())
    assert (world.states()[-1], world.statuses[-1].last_exit, world.children) == ("failed", "no memory", [])


async def test_a_process_that_stays_silent_is_killed_and_started_again():
    world, stop = World(healths=[Health.SERVING] + [Health.SILENT] * 40 + [Health.SERVING]), StopSignal()
    watching = asyncio.create_task(world.watcher().run(stop))
    await until(lambda: len(world.children) == 2 and world.states()[-1] == "ready")
    stop.request()
    await watching
    assert world.children[0].asked == ["kill"]
    assert "no answer to health checks for 30 s" in next(s.last_exit for s in world.statuses if s.last_exit)


async def test_a_process_that_answers_that_it_does_not_serve_is_left_alone():
    world, stop = World(healths=[Health.SERVING] + [Health.NOT_SERVING] * 100 + [Health.SERVING]), StopSignal()
    watching = asyncio.create_task(world.watcher().run(stop))
    await until(lambda: world.states().count("ready") == 2)
    stop.request()
    await watching
    assert len(world.children) == 1
    assert world.states()[:4] == ["starting", "ready", "unhealthy", "ready"]


async def test_a_process_that_does_not_obey_is_killed_after_the_grace():
    world, stop = World(), StopSignal()
    watching = asyncio.create_task(world.watcher().run(stop))
    await until(lambda: world.states()[-1:] == ["ready"])
    world.children[0].obeys = False
    stop.request()
    await watching
    assert world.children[0].asked == ["terminate", "kill"]


async def test_a_second_request_does_not_wait_for_the_grace():
    world, stop = World(), StopSignal()
    watching = asyncio.create_task(world.watcher(replace(AT_ONCE, stop_grace_s=60)).run(stop))
    await until(lambda: world.states()[-1:] == ["ready"])
    world.children[0].obeys = False
    stop.request()
    await until(lambda: world.states()[-1] == "stopping")
    stop.request()
    await asyncio.wait_for(watching, 1)
    assert world.children[0].asked == ["terminate", "kill"]


async def test_a_cancelled_watcher_leaves_no_process():
    world = World()
    watching = asyncio.create_task(world.watcher().run(StopSignal()))
    await until(lambda: world.states()[-1:] == ["ready"])
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert world.children[0].ended.done()


def mesh(world, timings=AT_ONCE, names=("a", "b")):
    identity = MeshIdentity(1, datetime(2026, 1, 1, tzinfo=UTC), "/data")
    return RunMesh([spec(name) for name in names], identity, world.machine(), world, POLICY, timings)


async def run(world, stop, timings=AT_ONCE):
    ready = []

    async def on_ready(state):
        ready.append(state.phase)
        stop.request()

    await mesh(world, timings).run(stop, Observers(lambda _: None, on_ready))
    return ready


async def test_a_mesh_is_ready_once_all_are_and_says_so_before_anyone_is_told():
    world, seen = World(), []
    stop = StopSignal()

    async def on_ready(state):
        seen.append((state.phase, world.saved[-1].phase))
        stop.request()

    await mesh(world).run(stop, Observers(lambda _: None, on_ready))
    assert seen == [("ready", "ready")]
    assert [entry.state for entry in world.saved[0].services] == ["stopped", "stopped"]
    assert all(child.ended.done() for child in world.children)


async def test_a_mesh_does_not_come_up_when_one_process_never_works():
    world = World(endings=["exit code 3"] * 20)
    with pytest.raises(PreconditionFailed) as failed:
        await run(world, StopSignal())
    assert failed.value.reason == "SERVICE_FAILED"
    assert "last words" in failed.value.message
    assert all(child.ended.done() for child in world.children)


async def test_a_mesh_does_not_come_up_when_one_process_takes_too_long():
    world = World(healths=[Health.NOT_SERVING])
    with pytest.raises(PreconditionFailed) as failed:
        await run(world, StopSignal(), replace(AT_ONCE, start_timeout_s=0.01))
    assert failed.value.reason == "SERVICE_NOT_READY"
    assert all(child.ended.done() for child in world.children)


async def test_a_request_to_stop_while_it_starts_is_no_failure():
    world, stop = World(healths=[Health.NOT_SERVING]), StopSignal()
    running = asyncio.create_task(run(world, stop))
    await until(lambda: len(world.children) == 2)
    stop.request()
    assert await running == []


async def test_a_crash_degrades_a_mesh_until_the_process_is_back():
    world, stop = World(), StopSignal()

    async def on_ready(_):
        world.children[0].kill()

    running = asyncio.create_task(mesh(world).run(stop, Observers(lambda _: None, on_ready)))
    await until(lambda: len(world.children) == 3 and world.saved[-1].phase == "ready")
    assert "degraded" in [state.phase for state in world.saved]
    stop.request()
    await running


async def test_who_stops_in_an_earlier_turn_has_ended_before_the_others_are_asked():
    world, stop = World(), StopSignal()
    identity = MeshIdentity(1, datetime(2026, 1, 1, tzinfo=UTC), "/data")
    specs = [replace(spec("a"), stop_turn=0), replace(spec("b"), stop_turn=2), spec("c")]
    patient = replace(AT_ONCE, stop_grace_s=30.0)
    running = asyncio.create_task(
        RunMesh(specs, identity, world.machine(), world, POLICY, patient).run(
            stop, Observers(lambda _: None, lambda _: asyncio.sleep(0))
        )
    )
    await until(lambda: len(world.children) == 3 and world.saved and world.saved[-1].phase == "ready")
    first, last, other = world.children
    first.obeys = other.obeys = False
    stop.request()
    for asked, not_yet in ((first, [other, last]), (other, [last])):
        await until(lambda asked=asked: asked.asked == ["terminate"])
        for _ in range(50):
            await asyncio.sleep(0)
        assert [each.asked for each in not_yet] == [[]] * len(not_yet)
        asked.ended.set_result("exit code 0")
    await running
    assert last.asked == ["terminate"]
