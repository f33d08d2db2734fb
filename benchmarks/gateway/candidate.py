"""What is measured: a gateway that runs, and how models are asked for through it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

import psutil

from benchmarks.gateway.children import Cores, cpu_s, rss_bytes
from benchmarks.gateway.job import Endpoint


class NotInstalledError(RuntimeError):
    """A reference is not on this machine; the message says how it comes there."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What every candidate is given.

    Attributes:
        whole_port: The upstream that answers whole.
        events_port: The upstream that answers with events.
        folder: Of this run, for configurations and logs.
        references: Where `--setup` installed other gateways.
        cores: Who runs where.
    """

    whole_port: int
    events_port: int
    folder: Path
    references: Path
    cores: Cores


@dataclass(frozen=True, slots=True)
class Pace:
    """How much load a candidate gets, so that a slow one is measured below its saturation too.

    Attributes:
        streams: At once, of those that come fast.
        rate: Whole answers a second at light load.
        slow_streams: Whether it can be asked for thousands of them.
    """

    streams: int = 32
    rate: float = 100.0
    slow_streams: bool = True


@dataclass(frozen=True, slots=True)
class Candidate:
    """A gateway that runs.

    Attributes:
        processes: Those whose CPU and memory count.
        whole: Where whole answers are asked for.
        events: Where streams are asked for.
        pace: How much load it gets.
        others: More ways to ask it for whole answers, by name: measured as candidates of their own.
    """

    processes: tuple[psutil.Process, ...]
    whole: Endpoint
    events: Endpoint
    pace: Pace = Pace()
    others: Mapping[str, Endpoint] = field(default_factory=lambda: MappingProxyType({}))

    def cpu_s(self) -> float:
        """Return its CPU so far, in seconds."""
        return cpu_s(self.processes)

    def rss_bytes(self) -> int:
        """Return its resident memory."""
        return rss_bytes(self.processes)


Start: TypeAlias = Callable[[Stage], AbstractContextManager[Candidate]]
"""Runs a candidate until the block ends. Raises NotInstalledError, NotStartedError."""
