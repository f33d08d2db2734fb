"""What other processes do to a mesh: find it, stop it, start it in the background."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from mesh.supervisor.adapters import data_directory, data_lock
from mesh.supervisor.adapters.log_files import open_log, tail
from mesh.supervisor.adapters.state_store_file import read_state
from mesh.supervisor.domain.data_layout import DataLayout
from mesh.supervisor.domain.mesh_state import MeshState
from mesh.supervisor.settings import SupervisorSettings
from shared.errors import DeadlineExceeded, PreconditionFailed

_PAUSE_S = 0.05
_LOG_LINES = 15


def running_mesh(layout: DataLayout) -> MeshState | None:
    """Return the state of the mesh that runs on the data directory, or None when none does.

    The lock decides, not the file: a killed supervisor leaves its file behind.

    Raises:
        PreconditionFailed: reason DATA_DIR_UNUSABLE.
    """
    return read_state(layout.state) if data_lock.holder(layout.lock) is not None else None


def stop_mesh(layout: DataLayout, timeout_s: float, *, at_once: bool = False) -> int | None:
    """Stop the mesh that runs on the data directory and wait until it has ended.

    Args:
        layout: the data directory.
        timeout_s: longest to wait.
        at_once: whether to kill it instead of asking; its processes die with it.

    Returns:
        The process id of the supervisor, or None when no mesh ran.

    Raises:
        DeadlineExceeded: reason MESH_STILL_RUNNING.
        PreconditionFailed: reason DATA_DIR_UNUSABLE.
    """
    pid = data_lock.holder(layout.lock)
    if pid is None:
        return None
    with suppress(ProcessLookupError):  # it ended by itself in between
        os.kill(pid, signal.SIGKILL if at_once else signal.SIGTERM)
    deadline_s = time.monotonic() + timeout_s
    while data_lock.holder(layout.lock) == pid:
        if time.monotonic() > deadline_s:
            raise DeadlineExceeded(
                "MESH_STILL_RUNNING",
                f"The mesh (pid {pid}) is still there after {timeout_s:.0f} s. `nexus down --force` kills it.",
            )
        time.sleep(_PAUSE_S)
    return pid


def start_detached(settings: SupervisorSettings, on_change: Callable[[MeshState], None]) -> MeshState:
    """Start a mesh that outlives this process and wait until it is ready.

    Args:
        settings: of the supervisor.
        on_change: called with the state while it comes up, a few times a second.

    Raises:
        PreconditionFailed: when it does not come up; nothing is left running.
    """
    layout = DataLayout(settings.data)
    data_directory.prepare(layout)
    reader, writer = os.pipe()
    log = open_log(layout.supervisor_log)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [
                *(sys.executable, "-P", "-m", "mesh.supervisor"),
                *("--data", str(settings.data), "--port-base", str(settings.port_base)),
                *("--workers", str(settings.workers)),
                *("--report-fd", str(writer)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            pass_fds=(writer,),
        )
    finally:
        os.close(log)
        os.close(writer)
    try:
        report = _await_report(reader, layout, on_change)
    except BaseException:
        # Ctrl-C while waiting: the mesh that nobody has seen ready goes too.
        process.terminate()
        process.wait()
        raise
    finally:
        os.close(reader)
    _raise_failure(report, layout)
    state = running_mesh(layout)
    if state is None:
        raise _vanished(layout)
    return state


def _await_report(reader: int, layout: DataLayout, on_change: Callable[[MeshState], None]) -> bytes:
    """Return what the supervisor wrote to the pipe before it closed it: at readiness, at failure or by dying."""
    os.set_blocking(reader, False)
    report = b""
    while True:
        try:
            part = os.read(reader, 65536)
        except BlockingIOError:
            state = read_state(layout.state)
            if state is not None:
                on_change(state)
            time.sleep(_PAUSE_S)
            continue
        if not part:
            return report
        report += part


def _raise_failure(report: bytes, layout: DataLayout) -> None:
    if not report:
        raise _vanished(layout)
    content = cast("dict[str, str]", json.loads(report))
    if "reason" in content:
        raise PreconditionFailed(content["reason"], content["message"])


def _vanished(layout: DataLayout) -> PreconditionFailed:
    return PreconditionFailed(
        "SUPERVISOR_DIED",
        f"The supervisor ended before the mesh was ready. {layout.supervisor_log} ends with:\n"
        + tail(layout.supervisor_log, _LOG_LINES),
    )
