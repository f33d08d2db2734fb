"""The memories under test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tools_memory_rig import Memories, Remembering
from tools_store import ToolStore


@pytest.fixture
async def durable(tmp_path: Path) -> AsyncGenerator[Memories, None]:
    async with ToolStore(tmp_path / "tools.sqlite") as store:
        yield Memories(store)


@pytest.fixture(params=["in_process", "sqlite"])
async def remembering(request: pytest.FixtureRequest, durable: Memories) -> Remembering:
    inner = durable.inner
    return Remembering(inner if request.param == "in_process" else durable.memory, inner.stop)
