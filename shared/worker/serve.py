"""The worker's side: bounds on the process, and a loop that answers until the service has left."""

from __future__ import annotations

import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Callable

from shared.worker.frames import LENGTH, READY, Message, decoded, encoded, framed

_Question = tuple[Message, bytes]


def limit_process(memory_bytes: int) -> None:
    """Hold this process to `memory_bytes` of address space, 64 open files, no files written and no core dump."""
    for kind, limit in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        resource.setrlimit(kind, (limit, limit))


def serve(answer: Callable[[Message, bytes], Message]) -> None:
    """Answer each question that comes on standard input, on standard output. Never returns.

    The process ends when its service closes the socket or dies, in the middle of a question too. An exception of
    `answer` ends it as well, and the service is told that it was lost.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out = os.fdopen(os.dup(1), "wb")
    # Whatever a library prints must not come between the frames.
    os.dup2(2, 1)
    questions: queue.Queue[_Question] = queue.Queue(maxsize=1)
    threading.Thread(target=_follow_service, args=(questions,), daemon=True).start()
    reply = READY
    while True:
        out.write(framed(encoded(reply)))
        out.flush()
        reply = answer(*questions.get())


def _follow_service(questions: queue.Queue[_Question]) -> None:
    """Read questions until there are no more, then end the process at once, whatever it is doing."""
    while (head := _frame()) is not None and (body := _frame()) is not None:
        questions.put((decoded(head), body))
    os._exit(0)


def _frame() -> bytes | None:
    source = sys.stdin.buffer
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (size,) = LENGTH.unpack(head)
    payload = source.read(size)
    return payload if len(payload) == size else None
