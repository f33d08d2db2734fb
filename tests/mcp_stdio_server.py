"""An MCP server over standard streams; run as a program, it is `good_server` with one tool more."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    sys.stderr.write(f"starting with {os.environ.get('TOKEN')}")
    if os.environ.get("MODE") == "dies":
        sys.exit(3)
    if os.environ.get("MODE") == "endless":
        while True:
            sys.stdout.write("x" * 65_536)
    if os.environ.get("MODE") in ("many", "wordy"):
        kind = "message" if os.environ["MODE"] == "wordy" else "progress"
        values = "1," * 60_000
        sys.stdout.write(f'{{"jsonrpc": "2.0", "method": "notifications/{kind}", "params": [{values}1]}}\n')
        sys.stdout.flush()
    sys.path.insert(0, os.environ["PYTHONPATH"])
    from mcp_rigs import good_server

    server = good_server()

    @server.tool()
    def token() -> str:
        """Tells what it should not."""
        return os.environ["TOKEN"]

    server.run("stdio")
