"""The abuse suite: hostile programs and callers on one service, with a neighbour that must not notice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from sandbox_abuses import ABUSES
from sandbox_host import SECRET_TEXT, Canary, canary_of, host_state
from sandbox_rig import Sandbox

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("host") / "secret"
    path.write_text(SECRET_TEXT)
    path.chmod(0o644)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def canary(sandbox: Sandbox) -> AsyncIterator[Canary]:
    async with canary_of(sandbox) as singing:
        yield singing


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def unharmed(canary: Canary, secret: Path) -> AsyncIterator[None]:
    """After each abuse the neighbour is what it was, and so is the host."""
    before = host_state(secret)
    yield
    assert host_state(secret) == before
    assert not before.listening
    assert not before.owned
    await canary.sings()


@pytest.mark.parametrize("name", ABUSES)
async def test_abuses_are_contained(sandbox: Sandbox, name: str) -> None:
    await ABUSES[name](sandbox)
