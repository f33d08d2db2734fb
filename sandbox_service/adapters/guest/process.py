"""Makes a fork of the zygote look like an interpreter that was started with `python -I -B -u`."""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib.machinery
import io
import os
import signal
import site
import sys
import types
from typing import Any

_PACKAGES = os.path.abspath(__file__).rsplit("/", 4)[0]  # noqa: PTH100  a string, to compare with sys.path
_OWN = __name__.split(".", maxsplit=1)[0]
_DEFAULT_SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)


def become_interpreter(path: str | None) -> types.ModuleType:
    """Give this process the signals, streams, modules and paths of a fresh interpreter; return its `__main__`.

    Args:
        path: the program's file; None for a session.
    """
    _reset_signals()
    _reset_streams()
    _forget_ourselves()
    _add_site_builtins()
    _reseed()
    sys.dont_write_bytecode = True
    sys.argv = [path or ""]
    sys.orig_argv = [sys.executable, "-I", "-B", "-u", *([path] if path else [])]
    # What the zygote has made is not the program's: collecting it would copy its pages.
    gc.freeze()
    main = types.ModuleType("__main__")
    vars(main).update(__builtins__=builtins, __annotations__={})
    if path:
        loader = importlib.machinery.SourceFileLoader("__main__", path)
        vars(main).update(__file__=path, __cached__=None, __loader__=loader)
    sys.modules["__main__"] = main
    return main


def flush_streams() -> bool:
    """Write out what the program has left in its streams; say whether that worked."""
    done = True
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None and not stream.closed:  # pyright: ignore[reportUnnecessaryComparison]
                stream.flush()
        except Exception:  # noqa: BLE001  the stream is whatever the program has put there
            done = False
    return done


def say(text: str) -> None:
    """Write to the program's standard error, if it still has one."""
    with contextlib.suppress(Exception):  # the stream is whatever the program has put there
        sys.stderr.write(text)


def exit_code_of(leaving: SystemExit) -> int:
    """Return the exit code of `sys.exit`; what is not a number is said on standard error."""
    code = leaving.code
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    flush_streams()
    say(f"{code}\n")
    return 1


def _reset_signals() -> None:
    signal.set_wakeup_fd(-1)
    for number in _DEFAULT_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _reset_streams() -> None:
    """Open standard input, output and error anew: the zygote's objects may have been closed or may hold text."""
    sys.stdin = sys.__stdin__ = _opened(0, "r", "surrogateescape")
    sys.stdout = sys.__stdout__ = _opened(1, "w", "surrogateescape")
    sys.stderr = sys.__stderr__ = _opened(2, "w", "backslashreplace")


def _opened(fd: int, mode: str, errors: str) -> Any:
    """Return a stream over `fd`, unbuffered for output; None, as Python has it, when `fd` is closed."""
    try:
        raw = io.FileIO(fd, mode, closefd=False)
    except OSError:
        return None
    raw.name = ("<stdin>", "<stdout>", "<stderr>")[fd]  # type: ignore[misc]  # as the interpreter does
    if mode == "r":
        return io.TextIOWrapper(io.BufferedReader(raw), encoding="utf-8", errors=errors)
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors, write_through=True)  # type: ignore[arg-type]


def _forget_ourselves() -> None:
    """Take the service's modules out of the program's sight; what runs of them goes on running."""
    for name in [name for name in sys.modules if name.split(".", maxsplit=1)[0] == _OWN]:
        del sys.modules[name]
    sys.path[:] = [entry for entry in sys.path if entry != _PACKAGES]
    sys.path_importer_cache.pop(_PACKAGES, None)


def _add_site_builtins() -> None:
    """Add `exit`, `help` and their kin, which an interpreter without `site` lacks."""
    if not hasattr(builtins, "exit"):
        site.setquit()
        site.setcopyright()
        site.sethelper()


def _reseed() -> None:
    """Give NumPy's global generator numbers of its own; `random` reseeds itself after a fork."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
