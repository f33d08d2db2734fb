"""How long the process lives: until it is told to stop, or its parent is gone."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType

_POLL_S = 0.2
_STOPS = (signal.SIGTERM, signal.SIGINT)


class Lifetime:
    """Ends on SIGTERM, SIGINT, or the death of the parent process.

    The parent is watched by its id, so that a mesh killed with SIGKILL leaves no model process behind.
    """

    def __init__(self) -> None:
        self._over = threading.Event()
        self._parent = os.getppid()
        # llama.cpp holds the interpreter while it loads, so until `wait` signals do their work without it.
        for number in _STOPS:
            signal.signal(number, signal.SIG_DFL)

    def wait(self) -> None:
        """Blocks until the lifetime is over. Call from the main thread."""
        for number in _STOPS:
            signal.signal(number, self._on_signal)
        # A signal may reach a thread of llama.cpp first, which does not wake this one; hence the short wait.
        while not self._over.wait(_POLL_S) and os.getppid() == self._parent:
            pass

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        self._over.set()
