"""Nexus with everything on: the settings service, a collector of spans, and routers that share one HTTP port.

Only the CPU and the memory of the routers count: of the settings service they ask every few seconds whether a key still
holds.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.gateway.candidate import Candidate, Stage
from benchmarks.gateway.children import FILES, Cores, child, free_port, tree
from benchmarks.gateway.job import Endpoint
from benchmarks.gateway.streams import ALL
from mesh.supervisor.adapters.data_directory import prepare
from mesh.supervisor.domain.data_layout import DataLayout

TIER = "nexus/fast"
KEY_VARIABLE = "NEXUS_BENCHMARK_KEY"
_CONFIGURATION = Path(__file__).with_name("configuration")
_KEPT = ("PATH", "HOME", "LANG", "TMPDIR")
# As `nexus up` has it.
_PROCESS = {"PYTHONUNBUFFERED": "1", "PYTHONUTF8": "1", "GRPC_ENABLE_FORK_SUPPORT": "0", "MALLOC_ARENA_MAX": "2"}


@dataclass(frozen=True, slots=True)
class RunningNexus:
    """Nexus, as it runs.

    Attributes:
        layout: Of its data directory.
        port: Of its HTTP surfaces, which all routers share.
        routers: The processes.
        grpc_port: Of the first router.
        metrics_port: Of the first router.
    """

    layout: DataLayout
    port: int
    routers: tuple[psutil.Process, ...]
    grpc_port: int
    metrics_port: int

    @property
    def key(self) -> str:
        """The owner's API key."""
        return self.layout.owner_key.read_text().strip()


@contextmanager
def nexus(stage: Stage, workers: int = 1) -> Generator[Candidate]:
    """Run Nexus with so many routers at one port."""
    folder = Path(tempfile.mkdtemp(prefix="nexus-", dir=stage.folder))
    own = {
        # Thousands of streams of one key are what is measured.
        "HTTP_CALLS_PER_KEY": str(FILES),
        "CONNECTIONS_PER_HOST": "10000",
    }
    with running(folder, lambda file: _fill(file, stage), stage.cores, own, workers) as found:
        headers = {"authorization": f"Bearer {found.key}"}
        yield Candidate(
            tuple(process for router in found.routers for process in tree(router)),
            Endpoint(found.port, "whole/{}", headers=headers),
            Endpoint(found.port, "events/{}", headers=headers),
            others={f"nexus, {TIER}": Endpoint(found.port, TIER, headers=headers)},
        )


@contextmanager
def running(
    folder: Path, configure: Callable[[Path], None], cores: Cores, own: Mapping[str, str], workers: int = 1
) -> Generator[RunningNexus]:
    """Run the settings service, a collector of spans and routers until the block ends.

    Args:
        folder: That is new, for all that they write.
        configure: Changes the providers file, which is that of the benchmark, before they start.
        cores: Who runs where.
        own: More settings of the routers, without their prefix.
        workers: How many routers.
    """
    layout = DataLayout(folder / "data")
    prepare(layout)
    shutil.copytree(_CONFIGURATION, layout.root / "config")
    configure(layout.root / "config" / "providers.yaml")
    settings, spans, port = free_port(), free_port(), free_port()
    grpc_ports, metrics_ports = ([free_port() for _ in range(workers)] for _ in range(2))
    environment = _environment("SETTINGS", layout, {"LISTEN": f"127.0.0.1:{settings}"})
    with ExitStack() as stack:
        log = layout.logs / "settings.log"
        stack.enter_context(child(_module("settings_service"), log, [settings], cores.load, environment))
        command = _module("benchmarks.gateway.otlp_sink", str(spans))
        stack.enter_context(child(command, layout.logs / "spans.log", [spans], cores.load))
        shared = {
            "SETTINGS_ADDRESS": f"127.0.0.1:{settings}",
            "PROVIDERS_FILE": str(layout.root / "config" / "providers.yaml"),
            "OTLP_ENDPOINT": f"http://127.0.0.1:{spans}",
            "TRACE_RATIO": "0.1",
            "HTTP_LISTEN": f"127.0.0.1:{port}",
            "HTTP_SHARED_PORT": "true",
            **own,
        }
        routers = tuple(
            stack.enter_context(
                child(
                    _module("provider_router"),
                    layout.logs / f"router-{number}.log",
                    [port],
                    cores.measured,
                    _environment("ROUTER", layout, {**shared, "LISTEN": f"127.0.0.1:{at}", "METRICS_PORT": str(told)}),
                    b"service_ready",
                )
            )
            for number, (at, told) in enumerate(zip(grpc_ports, metrics_ports, strict=True))
        )
        yield RunningNexus(layout, port, routers, grpc_ports[0], metrics_ports[0])


def _fill(file: Path, stage: Stage) -> None:
    """Write into the providers file what is known only now."""
    ports = {"WHOLE_PORT": stage.whole_port, "EVENTS_PORT": stage.events_port}
    lines: list[str] = []
    for line in file.read_text().splitlines():
        filled = line
        for name, port in ports.items():
            filled = filled.replace(name, str(port))
        lines += [filled.replace("EVENTS_MODEL", each.model) for each in ALL] if "EVENTS_MODEL" in line else [filled]
    file.write_text("\n".join(lines))


def _environment(service: str, layout: DataLayout, own: Mapping[str, str]) -> dict[str, str]:
    every = {"DATA_DIR": str(layout.root), "MESH_KEY_FILE": str(layout.mesh_key), **own}
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    settings = {f"NEXUS_{service}_{name}": value for name, value in every.items()}
    return {**kept, **_PROCESS, **settings, KEY_VARIABLE: "none"}


def _module(name: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", name, *arguments]
