"""How what a program does is shown: as it comes for people, as one JSON object for programs."""

from __future__ import annotations

import codecs
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from google.protobuf.duration_pb2 import Duration

from mesh.cli.output import Output, as_dict
from mesh.cli.printable import printable
from mesh.cli.wording import enum_word
from protos.gen.nexus.sandbox.v1 import sandbox_pb2 as pb
from tool_executor.domain.artifact import size_words

_MIB = 1 << 20
_OK = pb.EXECUTION_STATUS_OK
_ERROR = pb.EXECUTION_STATUS_ERROR


@dataclass(frozen=True, slots=True)
class End:
    """How a run or a cell ended.

    Attributes:
        finished: what the sandbox says.
        exit_status: with which the command ends.
        session_closed: whether the session is gone with it; None for a run.
    """

    finished: pb.ExecutionFinished
    exit_status: int
    session_closed: bool | None = None


class View(Protocol):
    """What is told while a program runs, and at its end."""

    def started(self, execution_id: str) -> None:
        """Take the id under which it runs."""
        ...

    def stdout(self, data: bytes) -> None:
        """Take what it wrote on standard output."""
        ...

    def stderr(self, data: bytes) -> None:
        """Take what it wrote on standard error."""
        ...

    def result(self, text: str, saved: Path | None) -> None:
        """Take a result: its text, and where its richest form is."""
        ...

    def file(self, chunk: pb.FileChunk, saved: Path) -> None:
        """Take a file that came out, by any of its pieces."""
        ...

    def trouble(self, sentence: str) -> None:
        """Take something that did not work, beside the program."""
        ...

    def ended(self, end: End) -> None:
        """Take the end."""
        ...


class TextView:
    """Implements View for people.

    Args:
        output: takes notes.
        brief: whether an end that is none of the sandbox's doing goes without a line.
    """

    def __init__(self, output: Output, *, brief: bool = False) -> None:
        self._output = output
        self._brief = brief
        self._out = _Stream(sys.stdout)
        self._err = _Stream(sys.stderr)

    def started(self, execution_id: str) -> None:
        """See View."""

    def stdout(self, data: bytes) -> None:
        """See View."""
        self._out.write(data)

    def stderr(self, data: bytes) -> None:
        """See View."""
        self._err.write(data)

    def result(self, text: str, saved: Path | None) -> None:
        """See View."""
        if text:
            self._out.write(text.encode() if text.endswith("\n") else f"{text}\n".encode())
        if saved:
            self._output.note(f"{saved}: written.")

    def file(self, chunk: pb.FileChunk, saved: Path) -> None:
        """See View."""
        self._output.note(f"{saved}: {chunk.media_type}, {size_words(chunk.size_bytes)}.")

    def trouble(self, sentence: str) -> None:
        """See View."""
        self._output.note(sentence, "red")

    def ended(self, end: End) -> None:
        """See View."""
        self._out.end()
        self._err.end()
        finished = end.finished
        if not self._brief or finished.status not in (_OK, _ERROR) or finished.output_truncated:
            self._output.note(summary(finished), "dim" if finished.status == _OK else "yellow")
        if end.session_closed:
            self._output.note("The session has ended.", "yellow")


class JsonView:
    """Implements View for programs: prints all that was told as one object, at the end."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._streams = {"stdout": bytearray(), "stderr": bytearray()}
        self._told: dict[str, Any] = {"execution_id": "", "results": [], "files": [], "troubles": []}

    def started(self, execution_id: str) -> None:
        """See View."""
        self._told["execution_id"] = execution_id

    def stdout(self, data: bytes) -> None:
        """See View."""
        self._streams["stdout"] += data

    def stderr(self, data: bytes) -> None:
        """See View."""
        self._streams["stderr"] += data

    def result(self, text: str, saved: Path | None) -> None:
        """See View."""
        self._told["results"].append({"text": text, "saved": str(saved or "")})

    def file(self, chunk: pb.FileChunk, saved: Path) -> None:
        """See View."""
        facts = {"path": chunk.path, "size_bytes": chunk.size_bytes, "media_type": chunk.media_type}
        self._told["files"].append({**facts, "saved": str(saved)})

    def trouble(self, sentence: str) -> None:
        """See View."""
        self._told["troubles"].append(sentence)

    def ended(self, end: End) -> None:
        """See View."""
        streams = {name: data.decode("utf-8", "replace") for name, data in self._streams.items()}
        told = self._told | streams
        told["status"] = enum_word(pb.ExecutionStatus.DESCRIPTOR, end.finished.status)
        told["exit_status"] = end.exit_status
        if end.session_closed is not None:
            told["session_closed"] = end.session_closed
        self._output.json_value(told | {"finished": as_dict(end.finished)})


class _Stream:
    """One stream of a program: its bytes as they are into a file or a pipe, harmless text on a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
        self._line_is_open = False

    def write(self, data: bytes) -> None:
        """Pass on what the program wrote, at once."""
        if not self._is_terminal:
            self._stream.flush()
            self._stream.buffer.write(data)
            self._stream.buffer.flush()
            return
        self._show(self._decoder.decode(data))

    def end(self) -> None:
        """Close a line that the program left open, so that nothing else is written into it."""
        if self._is_terminal:
            self._show(self._decoder.decode(b"", final=True))
            if self._line_is_open:
                self._show("\n")

    def _show(self, text: str) -> None:
        if text:
            self._line_is_open = not text.endswith("\n")
            self._stream.write(printable(text))
            self._stream.flush()


def summary(finished: pb.ExecutionFinished) -> str:
    """Return how a program ended and what it used, in one line."""
    words = enum_word(pb.ExecutionStatus.DESCRIPTOR, finished.status)
    if finished.status == _ERROR:
        words += f", signal {finished.signal}" if finished.signal else f", exit code {finished.exit_code}"
    parts = [words, f"{_seconds(finished.wall_time):.3f} s", f"CPU {_seconds(finished.cpu_time):.3f} s"]
    if finished.peak_memory_bytes:
        parts.append(f"memory {finished.peak_memory_bytes / _MIB:.1f} MiB")
    if finished.output_truncated:
        parts.append("output cut off at its limit")
    return " \u00b7 ".join(parts)


def session_facts(session: pb.Session) -> str:
    """Return what a session is, in one line."""
    language = enum_word(pb.Language.DESCRIPTOR, session.language)
    memory = f"{session.limits.memory_bytes / _MIB:g} MiB of memory"
    return f"{language} in {session.image}, {memory}, {_seconds(session.limits.wall_time):g} s for a cell"


def _seconds(duration: Duration) -> float:
    return duration.seconds + duration.nanos / 1e9
