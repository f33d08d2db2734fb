"""Memory with one slow stream open, and with thousands; each is checked to be whole."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.gateway.candidate import Candidate
from benchmarks.gateway.generator import LoadGenerator, WrongAnswersError
from benchmarks.gateway.job import Job
from benchmarks.gateway.streams import SLOW, SLOW_ALONE, Stream
from benchmarks.gateway.values import Values

# So fast, that all are open for a while before the first one ends.
_OPENED_A_SECOND = 600.0
_MB = 1_000_000


def memory_at(streams: int) -> str:
    """Return the name of the measurement."""
    return f"memory (RSS) at {streams:,} open streams, MB"


def whole_of(streams: int) -> str:
    """Return the name of the measurement."""
    return f"of {streams:,} slow streams so many were whole"


def slow_streams(candidates: Mapping[str, Candidate], load: LoadGenerator, values: Values, most: int) -> None:
    """Measure memory while streams are open that say a piece a second, one of them and `most` of them."""
    for name, candidate in candidates.items():
        _measure(name, candidate, load, values, SLOW_ALONE, 1)
        if candidate.pace.slow_streams:
            _measure(name, candidate, load, values, SLOW, most)


def _measure(name: str, candidate: Candidate, load: LoadGenerator, values: Values, stream: Stream, count: int) -> None:
    seen = [candidate.rss_bytes()]
    before = candidate.cpu_s()
    job = Job(candidate.events, stream.model, stream.pieces, 1, count, rate=_OPENED_A_SECOND)
    try:
        outcome = load.do(job, meanwhile=lambda: seen.append(candidate.rss_bytes()))
        whole = outcome.answers
        values.add(
            f"processor used by {count:,} open streams, %", name, (candidate.cpu_s() - before) / outcome.seconds * 100
        )
    except WrongAnswersError as error:
        # What it lost is the measurement.
        whole = error.answers
        values.trouble(f"{name}, {memory_at(count)}", str(error))
    values.add(memory_at(count), name, max(seen) / _MB)
    values.add(whole_of(count), name, whole)
