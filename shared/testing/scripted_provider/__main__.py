"""Runs the provider as a process: `python -m shared.testing.scripted_provider --port 0`.

Prints its base URL as the only line on standard output, then serves until interrupted. Any
client of an OpenAI-compatible server may use it; without a script it is the small agent of
`agent.py`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import sys
from pathlib import Path

from shared.testing.scripted_provider.script import Script
from shared.testing.scripted_provider.server import ScriptedProvider


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m shared.testing.scripted_provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="TCP port on 127.0.0.1; 0 for a free one")
    parser.add_argument("--script", type=Path, help="JSON file with a queue and rules; see script_file.py")
    parser.add_argument("--api-key-file", type=Path, help="file with the key that clients must present")
    return parser.parse_args()


def _api_key(path: Path | None) -> str | None:
    return path.read_text().strip() if path else None


def _script(path: Path | None) -> Script:
    if path is None:
        return Script()
    # Imported late: pydantic is only needed where there is a file.
    from shared.testing.scripted_provider.script_file import load

    return load(path)


async def _serve(port: int, api_key: str | None, script: Script) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with ScriptedProvider(port=port, api_key=api_key, script=script) as provider:
        sys.stdout.write(f"{provider.base_url}\n")
        sys.stdout.flush()
        await stop.wait()


def main() -> None:
    """Serve until SIGINT or SIGTERM."""
    arguments = _arguments()
    with contextlib.suppress(KeyboardInterrupt):
        api_key = _api_key(arguments.api_key_file)
        asyncio.run(_serve(arguments.port, api_key, _script(arguments.script)))


if __name__ == "__main__":
    main()
