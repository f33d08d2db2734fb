"""An organisation that asks for too much: `python -m benchmarks.sandbox.attack ADDRESS CALLERS`, until killed."""

from __future__ import annotations

import asyncio
import sys

import uvloop

from benchmarks.sandbox.client import Client

HEAVY = "held = bytearray(50_000_000)\nwhile True: pass"
HEAVY_S = 2


async def attack(address: str, callers: int) -> None:
    """Run heavy programs without end, from so many callers at once."""
    client = Client(address, "storm")
    print("raging", flush=True)

    async def forever() -> None:
        while True:
            await client.stubborn(HEAVY, HEAVY_S)

    await asyncio.gather(*(forever() for _ in range(callers)))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(attack(sys.argv[1], int(sys.argv[2])))
