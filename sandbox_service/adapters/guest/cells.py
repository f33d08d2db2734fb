"""The kernel of a session: runs cells one after the other in one namespace."""

from __future__ import annotations

import ast
import builtins
import linecache
import os
import signal
import sys
import traceback
import types
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from sandbox_service.adapters.guest.channel import Channel, ChannelLost
from sandbox_service.adapters.guest.figures import close_figure, send_open_figures
from sandbox_service.adapters.guest.process import become_interpreter, exit_code_of, flush_streams, say
from sandbox_service.adapters.guest.traces import program_frames
from sandbox_service.adapters.guest.values import forms_of

if TYPE_CHECKING:
    import asyncio

_T = TypeVar("_T")
_CO_COROUTINE = 0x80
_INTERRUPTED = "interrupted"
_MAX_NAME = 200


def serve_cells(channel_fd: int) -> int:
    """Run the cells that come until the other side closes the channel; return the exit code for `os._exit`.

    Call it once, in a process forked for it. An interrupt ends the cell that runs and nothing else.
    """
    kernel = Kernel(Channel(channel_fd), become_interpreter(None))
    try:
        kernel.serve()
    except ChannelLost:
        return 1
    return 0


class Kernel:
    """One namespace and the cells that have run in it."""

    def __init__(self, channel: Channel, main: types.ModuleType) -> None:
        self._channel = channel
        self._names = vars(main)
        self._process = os.getpid()
        self._count = 0
        self._interrupted = False
        self._loop: asyncio.AbstractEventLoop | None = None
        builtins.display = self._display  # type: ignore[attr-defined]

    def serve(self) -> None:
        """Take cells and run them, until the other side has left.

        Raises:
            ChannelLost: when the program has closed the channel.
        """
        signal.signal(signal.SIGINT, self._on_interrupt)
        while (code := self._channel.receive()) is not None:
            self._interrupted = False
            # A cell may have set a handler of its own; the next one can be interrupted all the same.
            signal.signal(signal.SIGINT, self._on_interrupt)
            error, exit_code = self._run(code)
            flush_streams()
            if os.getpid() != self._process:
                os._exit(exit_code)  # a fork that ran to the end of its cell
            status = "error" if error else "ok"
            self._channel.send({"op": "done", "status": status, "error": error, "exit_code": exit_code})

    def _on_interrupt(self, _number: int, frame: types.FrameType | None) -> None:
        """Raise KeyboardInterrupt inside the cell, and only there: never in the loop, never within a frame."""
        inside = False
        while frame is not None:
            if frame.f_code is _CHANNEL_CODE:
                break
            if frame.f_code is _GUEST_CODE:
                inside = True
                break
            frame = frame.f_back
        self._interrupted = True
        if inside:
            self._interrupted = False
            raise KeyboardInterrupt

    def _obey(self) -> None:
        """Be interrupted now if that was asked for when it could not be done."""
        if self._interrupted:
            self._interrupted = False
            raise KeyboardInterrupt

    def _run(self, code: str) -> tuple[str, int]:
        """Run one cell; return the name of the error that ended it, or an empty text, and its exit code."""
        self._count += 1
        try:
            _as_guest(lambda: self._evaluate(code))
        except ChannelLost:
            raise
        except SystemExit as leaving:
            exit_code = exit_code_of(leaving)
            return ("SystemExit" if exit_code else ""), exit_code
        except BaseException as error:  # noqa: BLE001  whatever the cell raises ends here
            return self._failed(error), 1
        return "", 0

    def _evaluate(self, code: str) -> None:
        """Run a cell's statements; show the value of a last expression and the figures that are open."""
        self._obey()
        name = f"<cell {self._count}>"
        linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
        module = ast.parse(code, name)
        last = module.body.pop() if module.body and isinstance(module.body[-1], ast.Expr) else None
        parts = [compile(module, name, "exec", _FLAGS, dont_inherit=True)]
        if isinstance(last, ast.Expr):
            parts.append(compile(ast.Expression(last.value), name, "eval", _FLAGS, dont_inherit=True))
        value = self._execute(parts)
        if value is not None:
            self._display(value)
            close_figure(value)
        send_open_figures(self._channel)
        self._obey()

    def _execute(self, parts: list[types.CodeType]) -> object:
        """Return the value of the last part; a cell that awaits anywhere runs in the event loop as a whole."""
        if any(part.co_flags & _CO_COROUTINE for part in parts):
            return self._await(self._execute_awaiting(parts))
        return [eval(part, self._names) for part in parts][-1]  # noqa: S307  this is what a sandbox is for

    async def _execute_awaiting(self, parts: list[types.CodeType]) -> object:
        value: Any = None
        for part in parts:
            value = eval(part, self._names)  # noqa: S307  this is what a sandbox is for
            if part.co_flags & _CO_COROUTINE:
                value = await value
        return value

    def _await(self, work: Coroutine[Any, Any, object]) -> object:
        """Run a cell that awaits, in the one event loop that the session keeps."""
        import asyncio  # too large for every session to load

        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            asyncio.set_event_loop(self._loop)
        task = self._loop.create_task(work)
        try:
            return self._loop.run_until_complete(task)
        except KeyboardInterrupt:
            task.cancel()
            self._loop.run_until_complete(asyncio.wait([task]))
            raise

    def _display(self, *values: object) -> None:
        """Show values as results of this cell, each in all its forms."""
        for value in values:
            self._channel.send_result(forms_of(value))
            self._obey()

    def _failed(self, error: BaseException) -> str:
        """Show what ended a cell as the interpreter does; return its name."""
        flush_streams()
        trace = program_frames(error.__traceback__, "<cell ")
        error.__traceback__ = trace
        sys.last_type, sys.last_value, sys.last_traceback = type(error), error, trace
        try:
            _as_guest(lambda: traceback.print_exception(error))
        except BaseException:  # noqa: BLE001  its text is made by the program's own methods
            say(f"{type(error).__name__}\n")
        return _INTERRUPTED if isinstance(error, KeyboardInterrupt) else type(error).__name__[:_MAX_NAME]


def _as_guest(step: Callable[[], _T]) -> _T:
    """Do what may run code of the program's: an interrupt reaches what happens below this frame."""
    return step()


_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_GUEST_CODE = _as_guest.__code__
_CHANNEL_CODE = Channel.send.__code__
