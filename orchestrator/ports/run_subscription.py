"""One watcher's ear."""

from __future__ import annotations

from typing import Protocol


class Subscription(Protocol):
    """Hears that the log of one run has grown."""

    async def wait(self, timeout_s: float) -> None:
        """Return when the log has grown since the last wait, or after `timeout_s` seconds.

        Raises:
            UpstreamDown: STOPPING when nothing will happen here any more, since the process is being stopped.
        """
        ...
