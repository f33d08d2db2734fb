"""The sandbox over its real backend."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from sandbox_rig import Sandbox, real_sandbox


@pytest.fixture(autouse=True)
def private_files() -> Iterator[None]:
    """What a service writes is for itself alone, as its bootstrap has it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with real_sandbox() as served:
        yield served
