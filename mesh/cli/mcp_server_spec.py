"""An MCP server from the words of a command line, but for secrets: they come from files or standard input."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from protos.gen.nexus.mcp.v1 import mcp_pb2
from shared.errors import InvalidInput

_STDIN = "-"


@dataclass(frozen=True, slots=True)
class SpecWords:
    """What was said of a server; None and empty for what was not said."""

    name: str
    url: str | None
    headers: str | None
    command: Sequence[str]
    read: Sequence[Path]
    write: Sequence[Path]
    egress: Sequence[str]
    environment: str | None
    effect: str


def spec_of(words: SpecWords) -> mcp_pb2.ServerSpec:
    """Return the server that `words` describe.

    Raises:
        InvalidInput: MCP_OPTIONS_WRONG, MCP_FILE_UNREADABLE, MCP_FILE_WRONG.
    """
    only_stdio = (*words.read, *words.write, *words.egress, *((words.environment,) if words.environment else ()))
    if words.url and (words.command or only_stdio):
        raise _wrong("A server has either --url, or a command after -- with --read, --write, --egress and --env-file.")
    if words.url:
        headers = _secrets(words.headers, ":") if words.headers else []
        http = mcp_pb2.HttpTransport(url=words.url, headers=headers)
        return mcp_pb2.ServerSpec(name=words.name, http=http, default_side_effect=words.effect)
    if not words.command or words.headers:
        raise _wrong(
            "Name the server's address with --url (then --headers-file may go with it), or its command after --."
        )
    stdio = mcp_pb2.StdioTransport(
        argv=words.command,
        environment=_secrets(words.environment, "=") if words.environment else [],
        read_only_paths=[str(path.resolve()) for path in words.read],
        writable_paths=[str(path.resolve()) for path in words.write],
        egress=words.egress,
    )
    return mcp_pb2.ServerSpec(name=words.name, stdio=stdio, default_side_effect=words.effect)


def _secrets(source: str, separator: str) -> list[mcp_pb2.Secret]:
    """Return the secrets in a file, one a line; blank lines and those that begin with `#` count for nothing."""
    try:
        text = sys.stdin.read() if source == _STDIN else Path(source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not text"
        raise InvalidInput("MCP_FILE_UNREADABLE", f"{source} cannot be read: {why}.") from error
    found: list[mcp_pb2.Secret] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, is_there, value = line.partition(separator)
        if not is_there or not name.strip():
            # The line itself is not told: it may be a secret.
            raise InvalidInput("MCP_FILE_WRONG", f"Line {number} of {source} is not `NAME{separator}VALUE`.")
        found.append(mcp_pb2.Secret(name=name.strip(), value=value.strip() if separator == ":" else value))
    return found


def _wrong(why: str) -> InvalidInput:
    return InvalidInput("MCP_OPTIONS_WRONG", why)
