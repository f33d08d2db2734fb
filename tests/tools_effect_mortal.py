"""A process to be killed in the middle of an effect: `python tools_effect_mortal.py DATABASE EFFECTS`.

It calls a tool under an idempotency key, has its effect (a line in the file EFFECTS), says so, and never ends.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from tools_memory_rig import Memories, call
from tools_store import ToolStore

from tool_executor.domain.tool_call import ToolResult


async def main(database: Path, effects: Path) -> None:
    """Have the effect."""

    async def work() -> ToolResult:
        with effects.open("a") as file:
            file.write("paid\n")
        sys.stdout.write("done\n")
        sys.stdout.flush()
        await asyncio.Event().wait()
        raise AssertionError

    async with ToolStore(database) as store:
        await Memories(store).memory.once(call(1), work)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2])))
