"""A supervisor over dummy services: `python dummy_mesh.py DATA NAME=MODE ...`. Prints one JSON line per event."""

import json
import sys
from pathlib import Path

from mesh.supervisor.adapters import data_directory, data_lock
from mesh.supervisor.domain.data_layout import DataLayout
from mesh.supervisor.domain.environment import basic_environment
from mesh.supervisor.domain.process_spec import GrpcProbe, ProcessSpec
from mesh.supervisor.main import run_specs
from mesh.supervisor.settings import load_settings
from mesh.supervisor.use_cases.run_mesh import Observers
from shared.errors import NexusError

KIT = Path(__file__).parent


def say(**event):
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def spec(layout, inherited, sockets, name, mode):
    socket = sockets / f"{name}.sock"
    environment = {
        "PYTHONPATH": str(KIT),
        "DUMMY_LISTEN": f"unix:{socket}",
        "DUMMY_MODE": mode,
        "DUMMY_REPORT": str(layout.run / f"{name}.report"),
        "DUMMY_CHILD": str(layout.run / f"{name}.child"),
    }
    return ProcessSpec(
        name=name,
        module="dummy_service",
        environment=basic_environment(inherited) | environment,
        log_file=layout.logs / f"{name}.log",
        probes=(GrpcProbe(f"unix:{socket}"),),
        address=f"unix:{socket}",
        sockets=(socket,),
    )


def main():
    settings = load_settings(Path(sys.argv[1]))
    layout = DataLayout(settings.data)

    async def ready(state):
        say(event="ready", phase=state.phase)

    try:
        data_directory.prepare(layout)
        with data_lock.holding(layout.lock), data_directory.socket_directory(layout, "") as sockets:
            specs = tuple(spec(layout, settings.inherited, sockets, *pair.split("=")) for pair in sys.argv[2:])
            run_specs(specs, settings, Observers(on_change=lambda _: None, on_ready=ready), sockets)
    except NexusError as error:
        say(event="error", reason=error.reason, message=error.message)
        return 1
    say(event="stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())
