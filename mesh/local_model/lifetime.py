"""How long the process lives: until it is told to stop, or its parent is gone."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

_PARENT_POLL_S = 0.5


class Lifetime:
    """Ends on SIGTERM, SIGINT, or the death of the parent process.

    The parent is watched by its id, so that a mesh killed with SIGKILL leaves no model process behind.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._parent = os.getppid()

    def follow_signals(self) -> None:
        """Makes SIGTERM and SIGINT end the lifetime. Call from the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_signal)

    def wait(self, parent_id: Callable[[], int] = os.getppid) -> None:
        """Blocks until the lifetime is over."""
        while not self._over.wait(_PARENT_POLL_S):
            if parent_id() != self._parent:
                return

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._over.set()
