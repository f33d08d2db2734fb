"""Serves the tool executor: `python -m tool_executor`."""

from shared.server import run
from tool_executor.main import build
from tool_executor.settings import Settings

if __name__ == "__main__":
    run(build, Settings)
