"""`python -m benchmarks.gateway`: starts every gateway, measures all in turns, ends with what the targets say.

Ends with 0 when all targets are met, with 1 when one is missed, with 2 when one cannot be said.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

from benchmarks.gateway.bare import bare
from benchmarks.gateway.candidate import Candidate, NotInstalledError, Stage, Start
from benchmarks.gateway.children import NotStartedError, child, cores, free_port, raise_file_limit
from benchmarks.gateway.cpu_share import NoSharesError
from benchmarks.gateway.envoy import envoy
from benchmarks.gateway.generator import LoadGenerator, load_generator
from benchmarks.gateway.light import latencies
from benchmarks.gateway.machine import Machine
from benchmarks.gateway.nexus import nexus
from benchmarks.gateway.nginx import nginx, upstream
from benchmarks.gateway.others import litellm, portkey
from benchmarks.gateway.rounds import pieces, whole_answers
from benchmarks.gateway.setup import set_up
from benchmarks.gateway.slow_streams import slow_streams
from benchmarks.gateway.streams import BURST, PACED
from benchmarks.gateway.targets import STREAMS, exit_code, rows, show_values
from benchmarks.gateway.values import Values
from benchmarks.gateway.workers import two_workers
from benchmarks.report import as_json, show

_SHOWN = 400
BUILD = Path(__file__).resolve().parents[2] / "build"
STARTS: dict[str, Start] = {
    "nexus": nexus,
    "bare": bare,
    "nginx": nginx,
    "envoy": envoy,
    "portkey": portkey,
    "litellm": litellm,
}


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is done.

    Attributes:
        rounds: Of each measurement that is made in rounds.
        seconds: Of one candidate's load in a round.
        streams: Slow ones at once.
    """

    rounds: int
    seconds: float
    streams: int


WHOLE, QUICK = Effort(5, 1.5, STREAMS), Effort(2, 0.7, 1_000)


@dataclass(frozen=True, slots=True)
class Run:
    """What the measurements share."""

    stage: Stage
    candidates: dict[str, Candidate]
    load: LoadGenerator
    values: Values
    effort: Effort

    def whole(self) -> None:
        """Whole answers at saturation."""
        whole_answers(self.candidates, self.load, self.values, self.effort.rounds, self.effort.seconds)

    def pieces(self) -> None:
        """Pieces of streams, one after the other, and many at once."""
        rounds = max(2, self.effort.rounds - 2)
        pieces(self.candidates, self.load, self.values, rounds, PACED)
        pieces(self.candidates, self.load, self.values, rounds, BURST)

    def light(self) -> None:
        """Latencies at light load."""
        rounds, seconds = max(2, self.effort.rounds - 2), self.effort.seconds
        latencies(self.stage, self.candidates, self.load, self.values, rounds, seconds)

    def slow(self) -> None:
        """Memory of slow streams."""
        slow_streams(self.candidates, self.load, self.values, self.effort.streams)

    def workers(self) -> None:
        """Two workers beside one."""
        if "nexus" in self.candidates:
            two_workers(self.stage, self.load, self.values, self.effort.rounds, self.effort.seconds)


MEASUREMENTS: dict[str, Callable[[Run], None]] = {
    "whole": Run.whole,
    "pieces": Run.pieces,
    "light": Run.light,
    "slow": Run.slow,
    "workers": Run.workers,
}


@contextmanager
def staged(references: Path) -> Generator[Stage]:
    """Run the upstreams, in a folder for all that is written, until the block ends."""
    raise_file_limit()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nexus-gateway-")))
        stage = Stage(free_port(), free_port(), folder, references, cores())
        stack.enter_context(upstream(folder, stage.whole_port, stage.cores.load))
        command = [sys.executable, "-m", "benchmarks.gateway.upstream_events", str(stage.events_port)]
        stack.enter_context(child(command, folder / "events.log", [stage.events_port], stage.cores.load))
        yield stage


def started(names: list[str], stage: Stage, stack: ExitStack, values: Values) -> dict[str, Candidate]:
    """Start the candidates; those that are not there are noted."""
    candidates: dict[str, Candidate] = {}
    for name in names:
        try:
            candidates[name] = stack.enter_context(STARTS[name](stage))
        except NotInstalledError as error:
            values.trouble(name, f"not installed ({error})")
        except NotStartedError as error:
            values.trouble(name, f"did not start: {error}")
    return candidates


def measure(names: list[str], only: list[str], effort: Effort, references: Path) -> Values:
    """Start everything, measure, end everything."""
    values = Values()
    with staged(references) as stage, ExitStack() as stack:
        load = stack.enter_context(load_generator(stage.cores.load))
        run = Run(stage, started(names, stage, stack, values), load, values, effort)
        for name, work in MEASUREMENTS.items():
            if name not in only:
                continue
            print(f"{datetime.now(UTC):%H:%M:%S} {name} ...", flush=True)
            try:
                work(run)
            except (NoSharesError, NotStartedError) as error:
                values.trouble(name, f"cannot be said: {error}")
    return values


def main() -> None:
    """Measure, print the tables, write the file, and end with what the targets say."""
    options = _options()
    references: Path = options.references
    if options.setup:
        set_up(references)
        return
    # Both ways to be ended unwind the stack, so that everything that was started is ended too.
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _end)
    effort = QUICK if options.quick else WHOLE
    machine = Machine()
    values = measure(options.gateways, options.only, effort, references)
    others = machine.others_percent()
    found = rows(values, effort.streams)
    show_values(values)
    show(found, "Targets of the gateway")
    for where, what in values.troubles.items():
        print(f"{where}: {what[:_SHOWN]}")
    print(f"Other programs used {others:.0f} % of the machine's processors meanwhile.")
    _write(options.output, values, {"others_percent": others, "rows": as_json(found), "quick": options.quick})
    sys.exit(exit_code(found))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--setup", action="store_true", help="install the other gateways and end")
    parser.add_argument("--references", type=Path, default=BUILD / "gateway", help="folder of the other gateways")
    parser.add_argument("--quick", action="store_true", help="fewer rounds, fewer streams: a first look")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", choices=MEASUREMENTS, default=list(MEASUREMENTS), help="measurements"
    )
    parser.add_argument("--gateways", nargs="+", metavar="NAME", choices=STARTS, default=list(STARTS))
    parser.add_argument("--output", type=Path, default=BUILD / "gateway.json")
    return parser.parse_args()


def _end(signum: int, _frame: object) -> NoReturn:
    sys.exit(128 + signum)


def _write(file: Path, values: Values, more: dict[str, object]) -> None:
    document = {
        "measured_at": datetime.now(UTC).isoformat(),
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "values": values.kept,
        "troubles": values.troubles,
        **more,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(document, indent=2, default=str) + "\n")
    print(f"Written to {file}")


if __name__ == "__main__":
    main()
