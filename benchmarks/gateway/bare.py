"""The floor of what Python can do here: Nexus's HTTP server and client with nothing of the router between them."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

from benchmarks.gateway.candidate import Candidate, Stage
from benchmarks.gateway.children import child, free_port, tree
from benchmarks.gateway.job import Endpoint


@contextmanager
def bare(stage: Stage) -> Generator[Candidate]:
    """Run the bare pass."""
    whole, events = free_port(), free_port()
    ports = (whole, stage.whole_port, events, stage.events_port)
    command = [sys.executable, "-m", "benchmarks.gateway.bare_pass", *map(str, ports)]
    with child(command, stage.folder / "bare.log", [whole, events], stage.cores.measured) as process:
        yield Candidate(tuple(tree(process)), Endpoint(whole), Endpoint(events))
