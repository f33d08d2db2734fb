"""A process that puts knowledge until it is killed: `python knowledge_mortal.py <folder>` counts its finished puts."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from knowledge_fakes import opened_chroma

from tool_executor.domain.knowledge import Deposit, Passage
from tool_executor.ports.embedder import Embedded

AT_ONCE = 64


def edition(number: int) -> Deposit:
    """Return the book anew: other texts in the place of the last ones."""
    return Deposit("book", [Passage(f"{number}:{place}") for place in range(AT_ONCE)], replace=True)


def vectors() -> Embedded:
    """Return a vector for each text of an edition."""
    return Embedded("a/model", [(1.0, place / AT_ONCE) for place in range(AT_ONCE)])


async def _work(folder: Path) -> None:
    async with opened_chroma(folder, most_passages=10_000) as store:
        for number in range(10_000):
            await store.put("org-a", edition(number), vectors())
            sys.stdout.write(f"{number}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_work(Path(sys.argv[1])))
