"""The kernel of a shell session: one shell that keeps its folder, variables and functions between cells.

The shell reads three things from three descriptors: its command lines, which are ours, on standard input; the cells'
text on a pipe; and what it says of them goes to another pipe. A cell is evaluated in the shell itself, with nothing on
its standard input, and without our pipes.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import subprocess

from sandbox_service.adapters.guest.channel import Channel, ChannelLost
from sandbox_service.adapters.guest.process import become_interpreter

# Interactive, so that an interrupt, a syntax error or a failing special builtin ends the cell and not the shell.
_BASH = ("--noprofile", "--norc", "--noediting", "-i", "+o", "history", "+H")
_SH = ("-i",)
_INTERRUPTED_CODE = 130
_AGAIN_MS = 200


def serve_shell(channel_fd: int) -> int:
    """Run the cells that come until the other side closes the channel, or the shell ends; return its exit code then.

    Call it once, in a process forked for it. An interrupt ends the command that runs, with what is left of its cell.

    Raises:
        FileNotFoundError: when the image has no shell.
    """
    channel = Channel(channel_fd)
    become_interpreter(None)
    shell = Shell()
    try:
        while not shell.ended and (code := channel.receive()) is not None:
            channel.send(shell.run(code))
    except ChannelLost:
        return 1
    finally:
        code = shell.close()
    return code if shell.ended else 0


def _found(name: str) -> str | None:
    """Return the path of a program of PATH; shutil, which knows it too, would cost every zygote a megabyte."""
    for folder in os.get_exec_path():
        path = f"{folder}/{name}"
        if os.access(path, os.X_OK):
            return path
    return None


class Shell:
    """A shell and the pipes to it.

    Attributes:
        ended: whether it is gone: a cell said `exit` or `exec`, or killed it.
    """

    def __init__(self) -> None:
        bash = _found("bash")
        program = bash or _found("sh")
        if program is None:
            raise FileNotFoundError("neither bash nor sh is in PATH")
        self._reads_to_nul = bash is not None
        # In this order: a plain sh knows no descriptor above 9, and only the channel is open so far.
        stderr = os.dup(2)
        self._cells_end, self._cells = os.pipe()
        self._reports, self._reports_end = os.pipe()
        commands, self._commands = os.pipe()
        # The prompts that it writes before it has read its first line go nowhere.
        self._process = subprocess.Popen(  # noqa: S603  a shell is what was asked for, and cells are no arguments
            [program, *(_BASH if bash else _SH)],
            stdin=commands,
            stderr=subprocess.DEVNULL,
            pass_fds=(self._cells_end, self._reports_end, stderr),
            start_new_session=True,
        )
        try:
            self._gone = os.pidfd_open(self._process.pid)
        except OSError:  # gVisor has none; the end of its reports tells, too
            self._gone = self._reports
        for fd in (commands, self._reports_end, stderr):
            os.close(fd)
        self._unread = b""
        self._count = 0
        self._begun = self._running = self._interrupted = False
        self.ended = False
        self._command(f"PS1= PS2=; exec 2>&{stderr} {stderr}>&-")
        signal.signal(signal.SIGINT, self._on_interrupt)

    def run(self, code: str) -> dict[str, object]:
        """Run one cell to its end and return what to say of it: exit code, and whether the shell ended with it."""
        if "\0" in code:
            return {"op": "done", "status": "error", "error": "ValueError", "exit_code": 2}
        self._count += 1
        self._interrupted = self._begun = False
        self._running = True
        exit_code = self._evaluate(code.encode("utf-8", "replace"))
        self._running = False
        if exit_code is None:
            self.ended = True
            exit_code = self.close()
        status = "ok" if exit_code == 0 else "error"
        error = "interrupted" if self._interrupted and exit_code == _INTERRUPTED_CODE else ""
        done: dict[str, object] = {"op": "done", "status": status, "error": error, "exit_code": exit_code}
        return {**done, "ended": True} if self.ended else done

    def close(self) -> int:
        """Kill the shell, if it is there, with what runs in its foreground; return its exit code."""
        if self._process.poll() is None:
            self._signal(signal.SIGKILL)
        return self._exit_code()

    def _evaluate(self, text: bytes) -> int | None:
        """Return a cell's exit code; None when the shell ended."""
        cells, reports, name = self._cells_end, self._reports_end, "nexus_cell"
        take = (
            f"IFS= read -r -d '' -u {cells} {name}"
            if self._reads_to_nul
            else f"{name}=$(head -c {len(text)} <&{cells})"
        )
        self._command(
            f'{take}; echo begin {self._count} >&{reports}; eval "${name}" </dev/null {cells}<&- {reports}>&-'
        )
        self._write(self._cells, text + b"\0" if self._reads_to_nul else text)
        if self._wait_for("begin") is None:
            return None
        self._begun = True
        # Written only now: a plain sh forgets the lines that it has read ahead when a cell fails.
        self._ask_for_end()
        if self._interrupted:
            self._interrupt()
        return self._wait_for("end")

    def _ask_for_end(self) -> None:
        self._command(f'echo end {self._count} "$?" >&{self._reports_end}')

    def _wait_for(self, word: str) -> int | None:
        """Wait for the shell to report `word` of this cell; return the number it gave, or None when the shell ended."""
        waiter = select.poll()
        waiter.register(self._reports, select.POLLIN)
        waiter.register(self._gone, select.POLLIN)
        while True:
            ready = [fd for fd, _ in waiter.poll(_AGAIN_MS)]
            if not ready:
                if self._interrupted and self._begun:
                    # A shell that is just about to start a command can miss it.
                    self._interrupt()
                continue
            read = os.read(self._reports, 4096) if self._reports in ready else b""
            if not read:
                return None
            self._unread += read
            *lines, self._unread = self._unread.split(b"\n")
            for line in lines:
                said = line.decode("ascii", "replace").split()
                if said[:2] == [word, str(self._count)]:
                    return int(said[2]) if len(said) > 2 and said[2].isdecimal() else 0

    def _on_interrupt(self, _number: int, _frame: object) -> None:
        if self._running:
            self._interrupted = True
            if self._begun:
                self._interrupt()

    def _interrupt(self) -> None:
        """Interrupt the shell and its foreground; the line that asks for the end may be lost with it."""
        self._signal(signal.SIGINT)
        self._ask_for_end()

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):  # it ended in between
            os.killpg(self._process.pid, number)

    def _command(self, line: str) -> None:
        self._write(self._commands, line.encode() + b"\n")

    def _write(self, fd: int, data: bytes) -> None:
        left = memoryview(data)
        try:
            while left:
                left = left[os.write(fd, left) :]
        except BrokenPipeError:
            pass  # the shell is gone, which is seen elsewhere

    def _exit_code(self) -> int:
        code = self._process.wait()
        return code if code >= 0 else 128 - code
