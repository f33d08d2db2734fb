"""Throughput of two workers beside that of one, on a machine that has too few processors for both and the load.

Each worker may use the same share of the one processor that is theirs, so that two of them fit on it, and the load and
the upstream have the others to themselves. What two workers lose to each other (the database's one writer, budgets
and limits that are exact across them) shows as it would with a processor for each.
"""

from __future__ import annotations

from contextlib import ExitStack

from benchmarks.gateway.candidate import Stage
from benchmarks.gateway.cpu_share import share
from benchmarks.gateway.generator import LoadGenerator
from benchmarks.gateway.job import Job
from benchmarks.gateway.nexus import nexus
from benchmarks.gateway.values import Values

SHARE = 0.45
TIMES = "throughput of two workers, times that of one"
_CONNECTIONS = 128
"""So many that either has its batches full."""


def two_workers(stage: Stage, load: LoadGenerator, values: Values, rounds: int, seconds: float) -> None:
    """Measure one and two workers in turns.

    Raises:
        NoSharesError: The machine does not let this user.
    """
    with ExitStack() as stack:
        meshes = {count: stack.enter_context(nexus(stage, count)) for count in (1, 2)}
        for mesh in meshes.values():
            for worker in mesh.processes:
                stack.enter_context(share([worker], SHARE))
        for turn in range(rounds + 1):
            with values.attempt(TIMES, "nexus"):
                rates: dict[int, float] = {}
                for count, mesh in meshes.items():
                    job = Job(mesh.whole, "whole", connections=_CONNECTIONS, seconds=seconds if turn else seconds / 2)
                    outcome = load.do(job)
                    rates[count] = outcome.answers / outcome.seconds
                if turn:
                    for count, rate in rates.items():
                        workers = "a worker" if count == 1 else f"{count} workers"
                        values.add(
                            f"whole answers a second, {workers} with {SHARE:.0%} of a processor each", "nexus", rate
                        )
                    values.add(TIMES, "nexus", rates[2] / rates[1])
