"""All abuses by name, for a service that runs as root and for one that runs as an ordinary user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

from sandbox_attempts import ATTEMPTS, attempted
from sandbox_channel_abuse import CHANNEL_ABUSES
from sandbox_exhaustion import EXHAUSTIONS
from sandbox_file_abuse import FILE_ABUSES
from sandbox_reuse import REUSES
from sandbox_rig import Sandbox

Abuse = Callable[[Sandbox], Awaitable[None]]


async def _refused(sandbox: Sandbox, *, topic: str) -> None:
    assert await attempted(sandbox, topic) == {}


ABUSES: dict[str, Abuse] = {
    **{topic: partial(_refused, topic=topic) for topic in ATTEMPTS},
    **{abuse.__name__: abuse for abuse in (*CHANNEL_ABUSES, *FILE_ABUSES, *EXHAUSTIONS, *REUSES)},
}
