"""What must hold, beside what was measured, and the tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from benchmarks.gateway.light import DIRECT, WHOLE_P50
from benchmarks.gateway.rounds import PACED_PIECE, WHOLE_CPU
from benchmarks.gateway.slow_streams import memory_at, whole_of
from benchmarks.gateway.values import Values
from benchmarks.gateway.workers import TIMES
from benchmarks.report import Row

NEXUS, ENVOY, LITELLM = "nexus", "envoy", "litellm"
STREAMS = 5_000


def rows(values: Values, streams: int) -> list[Row]:
    """Return what has a target; not a number where it was not measured."""
    return [
        Row("CPU of a whole answer, times Envoy's (aim: 1.5)", values.ratio(WHOLE_CPU, NEXUS, ENVOY), "x", 4),
        Row("CPU of a whole answer, LiteLLM's times Nexus's", values.ratio(WHOLE_CPU, LITELLM, NEXUS), "x", least=60),
        Row("CPU of a streamed piece, times Envoy's", values.ratio(PACED_PIECE, NEXUS, ENVOY), "x", 2),
        Row("added to a whole answer at light load, p50", values.difference(WHOLE_P50, NEXUS, DIRECT), "ms", 1),
        Row(memory_at(streams), values.median(memory_at(streams), NEXUS), "MB", 600),
        Row(whole_of(streams), values.median(whole_of(streams), NEXUS), "streams", least=streams),
        Row(TIMES, values.median(TIMES, NEXUS), "x", least=1.7),
    ]


def exit_code(found: Sequence[Row]) -> int:
    """Return 1 when a target is missed, else 2 when one was not measured, else 0."""
    if any(row.met is False and not math.isnan(row.value) for row in found):
        return 1
    return 2 if any(math.isnan(row.value) for row in found) else 0


def show_values(values: Values) -> None:
    """Print the medians of the rounds: a line for each measurement, a column for each candidate."""
    names = list(dict.fromkeys(name for found in values.kept.values() for name in found))
    table = Table(title="Gateways, medians of the rounds")
    table.add_column("measurement")
    for name in names:
        table.add_column(name, justify="right")
    for measurement in values.kept:
        medians = (values.median(measurement, name) for name in names)
        table.add_row(measurement, *("" if math.isnan(value) else _shown(value) for value in medians))
    # A file or a pipe has no width of its own.
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)


def _shown(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
