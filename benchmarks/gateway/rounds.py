"""CPU and throughput of whole answers, and CPU of a streamed piece, of all candidates in turns."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.gateway.candidate import Candidate
from benchmarks.gateway.generator import LoadGenerator
from benchmarks.gateway.job import Endpoint, Job
from benchmarks.gateway.streams import Stream
from benchmarks.gateway.values import Values

CONNECTIONS = 32
WHOLE_CPU = "CPU of a whole answer, us"
WHOLE_RATE = "whole answers a second at saturation"
WHOLE_BUSY = "share of a processor used then, %"
PACED_PIECE = "CPU of a streamed piece, us"
BURST_PIECE = "CPU of a piece of many in one read, us"
# What is written behind an answer's back is written by then, and counts.
_SETTLE_S = 0.4


@dataclass(frozen=True, slots=True)
class Way:
    """A way to ask a candidate for whole answers; of the table's columns each is one."""

    candidate: Candidate
    endpoint: Endpoint


def ways(candidates: Mapping[str, Candidate]) -> dict[str, Way]:
    """Return the ways to ask the candidates, by the names of columns."""
    found: dict[str, Way] = {}
    for name, candidate in candidates.items():
        found[name] = Way(candidate, candidate.whole)
        found |= {other: Way(candidate, endpoint) for other, endpoint in candidate.others.items()}
    return found


def whole_answers(
    candidates: Mapping[str, Candidate], load: LoadGenerator, values: Values, rounds: int, seconds: float
) -> None:
    """Measure whole answers at saturation: CPU of one, answers a second, and the share of a processor that was used."""
    for turn in range(rounds + 1):
        for name, way in ways(candidates).items():
            with values.attempt(WHOLE_CPU, name):
                before = way.candidate.cpu_s()
                job = Job(way.endpoint, "whole", connections=CONNECTIONS, seconds=seconds if turn else seconds / 2)
                outcome = load.do(job)
                busy_s = way.candidate.cpu_s() - before
                time.sleep(_SETTLE_S)
                if turn:
                    used_s = way.candidate.cpu_s() - before
                    values.add(WHOLE_CPU, name, used_s / outcome.answers * 1e6)
                    values.add(WHOLE_RATE, name, outcome.answers / outcome.seconds)
                    values.add(WHOLE_BUSY, name, busy_s / outcome.seconds * 100)


def pieces(
    candidates: Mapping[str, Candidate],
    load: LoadGenerator,
    values: Values,
    rounds: int,
    streams: tuple[Stream, Stream],
) -> None:
    """Measure the CPU of a streamed piece: the difference of long and short streams, divided by that of their pieces.

    Args:
        candidates: By name.
        load: What asks.
        values: Where it is noted.
        rounds: How often.
        streams: A short and a long one, of one pace.
    """
    short, long = streams
    label = PACED_PIECE if short.every_ms else BURST_PIECE
    for turn in range(rounds + 1):
        for name, candidate in candidates.items():
            with values.attempt(label, name):
                most = _cpu_of_stream_s(candidate, load, long, candidate.pace.streams)
                least = _cpu_of_stream_s(candidate, load, short, candidate.pace.streams * 4)
                if turn:
                    values.add(label, name, (most - least) / (long.pieces - short.pieces) * 1e6)


def _cpu_of_stream_s(candidate: Candidate, load: LoadGenerator, stream: Stream, answers: int) -> float:
    before = candidate.cpu_s()
    outcome = load.do(Job(candidate.events, stream.model, stream.pieces, candidate.pace.streams, answers))
    time.sleep(_SETTLE_S)
    return (candidate.cpu_s() - before) / outcome.answers
