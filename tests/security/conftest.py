"""The sandbox over its real backend."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

pytest.register_assert_rewrite(
    *("sandbox_attempts", "sandbox_channel_abuse", "sandbox_exhaustion", "sandbox_file_abuse"),
    *("sandbox_host", "sandbox_reuse", "sandbox_rig"),
)
import pytest_asyncio  # noqa: E402
from sandbox_rig import Sandbox, real_sandbox  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def private_files() -> Iterator[None]:
    """What a service writes is for itself alone, as its bootstrap has it."""
    before = os.umask(0o077)
    yield
    os.umask(before)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(private_files: None) -> AsyncIterator[Sandbox]:
    """One service for all tests of a module, which say so by their loop."""
    async with real_sandbox() as served:
        yield served
