"""The tool `read_file`: reads a text of the conversation's workspace."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.artifact import half_character, size_words, text_of
from tool_executor.domain.output_limit import encode
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, invalid_arguments
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.domain.workspace_file import FilePart
from tool_executor.ports.workspaces import Workspaces

_LENGTH = 16_384
_LEAST = 4
"""The longest character."""


class ReadFileTool:
    """Reads a piece of a text, and says of other files what they are.

    Args:
        workspaces: of the conversations.
        output_limit_bytes: most bytes of output as JSON; a text that does not fit is told in part, with where to go on.
    """

    def __init__(self, workspaces: Workspaces, *, output_limit_bytes: int) -> None:
        self._workspaces = workspaces
        self._output_limit_bytes = output_limit_bytes
        self._definition = load_definition("read_file")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Read from the offset on.

        Raises:
            ToolFailure: WORKSPACE_NEEDS_CONVERSATION, FILE_NOT_TEXT with what it is, OFFSET_TOO_LARGE.
            NexusError: FILE_NOT_FOUND, PATH_INVALID, FILE_REFUSED; what refuses a workspace.
        """
        path, offset = cast("str", arguments["path"]), cast("int", arguments.get("offset", 0))
        length = max(_LEAST, cast("int", arguments.get("length", _LENGTH)))
        async with self._workspaces.used(call) as workspace:
            part = await workspace.read(path, offset, length)
        if offset > part.size_bytes:
            raise invalid_arguments("OFFSET_TOO_LARGE", f"offset: the file ends at byte {part.size_bytes}.")
        text = text_of(part.data, inside=offset > 0)
        if text is None:
            raise _not_text(path, part)
        begins = offset + half_character(part.data) if offset else 0
        output = _told(path, part, begins, text)
        while len(encode(output.value).encode()) > self._output_limit_bytes and len(text) > 1:
            text = text[: len(text) // 2]
            output = _told(path, part, begins, text)
        return output


def _told(path: str, part: FilePart, offset: int, text: str) -> ToolOutput:
    ends = offset + len(text.encode())
    goes_on = ends if ends < part.size_bytes else None
    rest = f"; read on from offset {ends}" if goes_on else ", which is its end"
    value = {**_facts(path, part), "text": text, "next_offset": goes_on}
    return ToolOutput(value, f"{path}, bytes {offset} to {ends} of {part.size_bytes}{rest}:\n{text}")


def _facts(path: str, part: FilePart) -> dict[str, object]:
    return {"path": path, "media_type": part.media_type, "size_bytes": part.size_bytes}


def _not_text(path: str, part: FilePart) -> ToolFailure:
    return ToolFailure(
        "FILE_NOT_TEXT",
        f"{path} is {part.media_type}, {size_words(part.size_bytes)}, and no text. save_file keeps it for people; "
        "execute_code can read it.",
        value=_facts(path, part),
    )
