"""Reads pages in processes of their own, which start when they are needed and end when they are not."""

from __future__ import annotations

from shared.errors import UpstreamDown
from shared.worker import (
    WorkerCommand,
    WorkerLostError,
    WorkerNotStartedError,
    WorkerPool,
    WorkersBusyError,
    WorkerSlowError,
)
from tool_executor.domain.web_page import PageLink, PageUnreadable, ReadPage

_WORKER = "tool_executor.adapters.page_worker"
_MAX_REPLY_BYTES = 16 * 1024 * 1024
_CALLS = 200
_IDLE_S = 60.0
_IN_HAND = 16


class ProcessPageReader:
    """Reads pages in at most `workers` processes. Run `retire_idle` beside it; call `stop` at the end.

    Args:
        workers: how many pages are read at a time.
        timeout_s: how long one may take; its process is killed beyond.
        memory_bytes: address space of a process.
    """

    def __init__(self, *, workers: int, timeout_s: float, memory_bytes: int) -> None:
        command = WorkerCommand(_WORKER, (str(memory_bytes),), max_reply_bytes=_MAX_REPLY_BYTES, calls=_CALLS)
        self._pool = WorkerPool(command, workers=workers, in_hand=_IN_HAND)
        self._timeout_s = timeout_s

    async def read(self, html: bytes, charset: str, url: str) -> ReadPage:
        """Return what people read of `html`. Cancelling the call kills the process that is at it. See the port."""
        try:
            reply = await self._pool.ask({"charset": charset, "url": url}, html, timeout_s=self._timeout_s)
        except (WorkerLostError, WorkerSlowError) as error:
            raise PageUnreadable from error
        except (WorkersBusyError, WorkerNotStartedError) as error:
            raise UpstreamDown(
                "PAGE_READER_UNAVAILABLE", "Pages cannot be read now: too many are, or no process starts. Try later."
            ) from error
        if "unreadable" in reply:
            raise PageUnreadable
        links = tuple(PageLink(str(text), str(url)) for text, url in reply["links"])
        return ReadPage(str(reply["title"]), str(reply["text"]), links)

    async def retire_idle(self) -> None:
        """End processes that have had no work for a while, until cancelled."""
        await self._pool.retire_idle(_IDLE_S)

    async def stop(self) -> None:
        """End all processes."""
        await self._pool.stop()
