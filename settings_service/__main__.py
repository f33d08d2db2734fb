"""Runs the settings service: `python -m settings_service`."""

from settings_service.main import build
from settings_service.settings import Settings
from shared.server import run

if __name__ == "__main__":
    run(build, Settings)
