"""Worker processes: work that cannot be trusted to end, done where it can be bounded and killed.

A service asks a `WorkerPool`; the pool's processes run `serve`. They speak frames of JSON over a socket of their own,
so whatever happens in a process, what comes back is data.
"""

from shared.worker.errors import WorkerLostError, WorkerNotStartedError, WorkersBusyError, WorkerSlowError
from shared.worker.frames import Message
from shared.worker.pool import WorkerPool
from shared.worker.process import WorkerCommand

__all__ = [
    "Message",
    "WorkerCommand",
    "WorkerLostError",
    "WorkerNotStartedError",
    "WorkerPool",
    "WorkerSlowError",
    "WorkersBusyError",
]
