"""Latency at light load, beside the upstream itself: what a gateway adds when nobody else wants anything of it."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.gateway.candidate import Candidate, Pace, Stage
from benchmarks.gateway.generator import LoadGenerator
from benchmarks.gateway.job import Endpoint, Job
from benchmarks.gateway.rounds import ways
from benchmarks.gateway.streams import PROMPT
from benchmarks.gateway.values import Values
from benchmarks.timing import Timings

DIRECT = "upstream itself"
_CONNECTIONS = 4
WHOLE_P50, WHOLE_P99 = "whole answer at light load, p50 ms", "whole answer at light load, p99 ms"
FIRST_P50, FIRST_P99 = "first piece at light load, p50 ms", "first piece at light load, p99 ms"


def latencies(
    stage: Stage, candidates: Mapping[str, Candidate], load: LoadGenerator, values: Values, rounds: int, seconds: float
) -> None:
    """Measure how long whole answers and first pieces of streams take, at a fixed rate of requests."""
    whole = {name: (way.endpoint, way.candidate.pace) for name, way in ways(candidates).items()}
    first = {name: (candidate.events, candidate.pace) for name, candidate in candidates.items()}
    for turn in range(rounds + 1):
        for name, (endpoint, pace) in {DIRECT: (Endpoint(stage.whole_port), Pace()), **whole}.items():
            with values.attempt(WHOLE_P50, name):
                took = _whole(load, endpoint, pace, seconds if turn else seconds / 3)
                if turn:
                    values.add(WHOLE_P50, name, took.p50)
                    values.add(WHOLE_P99, name, took.percentile(99))
        for name, (endpoint, pace) in {DIRECT: (Endpoint(stage.events_port), Pace()), **first}.items():
            with values.attempt(FIRST_P50, name):
                took = _first(load, endpoint, pace, seconds if turn else seconds / 3)
                if turn:
                    values.add(FIRST_P50, name, took.p50)
                    values.add(FIRST_P99, name, took.percentile(99))


def _whole(load: LoadGenerator, endpoint: Endpoint, pace: Pace, seconds: float) -> Timings:
    job = Job(endpoint, "whole", 0, _CONNECTIONS, max(1, round(pace.rate * seconds)), rate=pace.rate)
    return Timings(load.do(job).latencies_ms)


def _first(load: LoadGenerator, endpoint: Endpoint, pace: Pace, seconds: float) -> Timings:
    rate = pace.rate / 2
    answers = max(1, round(rate * seconds))
    return Timings(load.do(Job(endpoint, PROMPT.model, PROMPT.pieces, _CONNECTIONS, answers, rate=rate)).first_ms)
