"""Serves the orchestrator: `python -m orchestrator`."""

from orchestrator.main import build
from orchestrator.settings import Settings
from shared.server import run

if __name__ == "__main__":
    run(build, Settings)
