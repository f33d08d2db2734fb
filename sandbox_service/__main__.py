"""Runs the sandbox service: `python -m sandbox_service`."""

from sandbox_service.main import build
from sandbox_service.settings import Settings
from shared.server import run

if __name__ == "__main__":
    run(build, Settings)
