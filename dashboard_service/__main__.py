"""Runs the dashboard service: `python -m dashboard_service`."""

from dashboard_service.main import build
from dashboard_service.settings import Settings
from shared.server import run

if __name__ == "__main__":
    run(build, Settings)
