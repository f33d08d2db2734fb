"""Serves the MCP server: `python -m gateway.mcp_server`."""

from gateway.mcp_server.main import build
from gateway.mcp_server.settings import Settings
from shared.server import run

if __name__ == "__main__":
    run(build, Settings)
