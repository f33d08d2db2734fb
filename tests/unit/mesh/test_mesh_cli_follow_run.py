"""Following a run through lost connections: every event once, in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mesh.cli.follow_run import RunFollower, kind_of
from protos.gen.nexus.agent.v1 import agent_pb2
from shared.errors import InvalidInput, UpstreamDown
from shared.testing.fakes import FakeClock

LOST = UpstreamDown("UNREACHABLE", "The orchestrator service does not answer.")


def log(count):
    """A run of `count` events."""
    middle = [agent_pb2.RunEvent(token_delta=agent_pb2.TokenDelta(text=str(n))) for n in range(2, count)]
    last = agent_pb2.RunEvent(run_finished=agent_pb2.RunFinished(answer="done"))
    first = agent_pb2.RunEvent(run_started=agent_pb2.RunStarted(question="?"))
    events = [first, *middle, last]
    for number, event in enumerate(events, start=1):
        event.run_id, event.sequence = "run-1", number
    return events


class Source:
    """Streams the log, and is lost after as many events of each connection as `cuts` says; then not any more."""

    def __init__(self, events, cuts=(), repeats=0, *, ends_quietly=False):
        self.events, self.cuts, self.repeats, self.ends_quietly = events, list(cuts), repeats, ends_quietly
        self.calls = []

    async def start(self):
        self.calls.append(("start", 0))
        async for event in self._stream(0):
            yield event

    async def watch(self, run_id, after_sequence):
        self.calls.append((run_id, after_sequence))
        # A server that sends some events again must do no harm.
        async for event in self._stream(max(0, after_sequence - self.repeats)):
            yield event

    async def _stream(self, after):
        cut = self.cuts.pop(0) if self.cuts else len(self.events)
        for event in self.events[after : after + cut]:
            yield event
        if after + cut < len(self.events) and not self.ends_quietly:
            raise LOST


def follower(source, clock=None, troubles=None, patience_s=60.0):
    clock = clock or FakeClock()

    async def pause(seconds):
        clock.advance(seconds)

    return RunFollower(source, clock, pause, (troubles if troubles is not None else []).append, patience_s)


async def heard(source, **options):
    return [event.sequence async for event in follower(source, **options).events()]


async def test_a_run_without_trouble_is_started_once():
    source = Source(log(5))
    assert await heard(source) == [1, 2, 3, 4, 5]
    assert source.calls == [("start", 0)]


async def test_a_connection_lost_in_the_middle_is_taken_up_after_the_last_event():
    source, troubles = Source(log(6), cuts=[3]), []
    assert await heard(source, troubles=troubles) == [1, 2, 3, 4, 5, 6]
    assert source.calls == [("start", 0), ("run-1", 3)]
    assert len(troubles) == 1


async def test_a_connection_lost_before_the_first_event_starts_the_same_request_again():
    source = Source(log(3), cuts=[0, 0])
    assert await heard(source) == [1, 2, 3]
    assert source.calls == [("start", 0)] * 3


async def test_a_stream_that_ends_quietly_before_the_run_does_is_taken_up_too():
    assert await heard(Source(log(4), cuts=[2], ends_quietly=True)) == [1, 2, 3, 4]


@given(
    length=st.integers(2, 12),
    cuts=st.lists(st.integers(0, 12), max_size=8),
    repeats=st.integers(0, 5),
    quietly=st.booleans(),
)
async def test_wherever_the_connection_is_lost_no_event_is_lost_or_doubled(length, cuts, repeats, quietly):
    source = Source(log(length), cuts, repeats, ends_quietly=quietly)
    assert await heard(source) == list(range(1, length + 1))


async def test_patience_ends_when_the_service_stays_away():
    clock, source = FakeClock(), Source(log(3), cuts=[1] + [0] * 500)
    began = clock.monotonic()
    with pytest.raises(UpstreamDown) as lost:
        await heard(source, clock=clock, patience_s=60)
    assert lost.value.reason == "UNREACHABLE"
    assert 60 <= clock.monotonic() - began <= 63


async def test_a_refusal_is_not_tried_again():
    class Refusing(Source):
        async def start(self):
            self.calls.append(("start", 0))
            raise InvalidInput("MODEL_UNKNOWN", "There is no model 'x'.")
            yield

    source = Refusing(log(2))
    with pytest.raises(InvalidInput):
        await heard(source)
    assert len(source.calls) == 1


def test_an_event_of_a_newer_server_has_no_kind():
    assert kind_of(agent_pb2.RunEvent(sequence=1)) == ""
