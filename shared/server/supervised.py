"""Background work that goes on after an error."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from prometheus_client import Counter

from shared.errors import NexusError
from shared.telemetry.logging import get_logger

_log = get_logger(__name__)
_FAILURES = Counter(
    "nexus_background_failures_total", "Background work that failed and began again.", ("work", "reason")
)
_FIRST_PAUSE_S = 1.0
_LONGEST_PAUSE_S = 60.0

Work = Callable[[], Coroutine[Any, Any, None]]


def supervised(
    name: str,
    work: Work,
    *,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> Work:
    """Returns work that begins `work` again whenever it fails, until it ends or is cancelled. For `Service.background`.

    The first pause is a second, each next one twice as long, at most a minute; work that went well for a minute is
    forgiven. What a store or a peer is to blame for (`NexusError`) is a warning with its reason; anything else is a
    mistake in the program and an error with its traceback. Both are counted in `nexus_background_failures_total`.

    Args:
        name: Of the work, for logs and metrics.
        work: Can be begun again: what it knows is kept elsewhere.
        sleep: Waits for so many seconds.
        monotonic: Tells the time in seconds.
    """

    async def run() -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            began_s = monotonic()
            try:
                return await work()
            except Exception as error:  # noqa: BLE001 - a supervisor: what it does not know must not end the service
                if monotonic() - began_s >= _LONGEST_PAUSE_S:
                    pause_s = _FIRST_PAUSE_S
                _report(name, error, pause_s)
            await sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)

    return run


def _report(name: str, error: Exception, pause_s: float) -> None:
    if isinstance(error, NexusError):
        _FAILURES.labels(name, error.reason).inc()
        _log.warning("background_work_failed", work=name, reason=error.reason, again_in_s=pause_s)
    else:
        _FAILURES.labels(name, "INTERNAL").inc()
        _log.error("background_work_failed", work=name, again_in_s=pause_s, exc_info=error)
