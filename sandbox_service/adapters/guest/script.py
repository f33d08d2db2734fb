"""Runs a program's file as `python -I -B -u` would, in the process that calls."""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import types
from collections.abc import Callable

from sandbox_service.adapters.guest.channel import Channel
from sandbox_service.adapters.guest.figures import send_open_figures
from sandbox_service.adapters.guest.process import become_interpreter, exit_code_of, flush_streams, say
from sandbox_service.adapters.guest.traces import program_frames

_FLUSH_FAILED = 120
_INTERRUPTED = 130


def run_script(path: str, channel_fd: int) -> int:
    """Run the program at `path` to its end, threads, exit handlers and open files included; return its exit code.

    Call it once, in a process forked for it, and leave with `os._exit` afterwards. A program that an interrupt ends
    dies of SIGINT, as Python does. Figures that are open at the end go out as results.
    """
    channel = Channel(channel_fd)
    main = become_interpreter(path)
    code = _run(path, main)
    _quietly(threading._shutdown)  # noqa: SLF001  # type: ignore[attr-defined]  # what the interpreter calls at its end
    _quietly(lambda: send_open_figures(channel))
    _quietly(atexit._run_exitfuncs)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # and this
    _clear(main)
    flushed = flush_streams()
    if code == _INTERRUPTED:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return code if flushed or code else _FLUSH_FAILED


def _run(path: str, main: types.ModuleType) -> int:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  pathlib is not needed otherwise
            source = file.read()
        exec(compile(source, path, "exec", dont_inherit=True), vars(main))  # noqa: S102  this is what a sandbox is for
    except SystemExit as leaving:
        return exit_code_of(leaving)
    except BaseException as error:  # noqa: BLE001  whatever the program raises ends here
        _report(error)
        return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def _report(error: BaseException) -> None:
    """Show an exception as the interpreter does, through the program's own hook if it has set one."""
    trace = program_frames(error.__traceback__)
    error.__traceback__ = trace
    sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
    flush_streams()
    try:
        sys.excepthook(type(error), error, trace)
    except BaseException:  # noqa: BLE001  a hook of the program's that fails
        say("Error in sys.excepthook; the original exception was:\n")
        sys.__excepthook__(type(error), error, trace)


def _quietly(step: Callable[[], object]) -> None:
    """Take a last step; what it raises is reported and does not keep the next from being taken."""
    try:
        step()
    except BaseException as error:  # noqa: BLE001  an exit handler or a thread of the program's
        sys.__excepthook__(type(error), error, program_frames(error.__traceback__))


def _clear(main: types.ModuleType) -> None:
    """Let go of what the program holds, private names first, as the interpreter does: files are written out by that."""
    names = vars(main)
    sys.last_type = sys.last_value = sys.last_traceback = None
    for private in (True, False):
        for name in list(names):
            if name != "__builtins__" and (name.startswith("_") and not name.startswith("__")) is private:
                names[name] = None
    gc.collect()
