"""The tool `write_file`: writes a text into the conversation's workspace."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.artifact import size_words
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.workspaces import Workspaces
from tool_executor.use_cases.bound_result import in_chunks


class WriteFileTool:
    """Writes a file, or to its end.

    Args:
        workspaces: of the conversations.
    """

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._definition = load_definition("write_file")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Write the text of `arguments`.

        Raises:
            ToolFailure: WORKSPACE_NEEDS_CONVERSATION.
            NexusError: PATH_INVALID, FILE_REFUSED; what refuses a workspace.
        """
        path, append = cast("str", arguments["path"]), cast("bool", arguments.get("append", False))
        text = in_chunks(cast("str", arguments["text"]).encode())
        async with self._workspaces.used(call) as workspace:
            size = await workspace.write(path, text, append=append)
        return ToolOutput({"path": path, "size_bytes": size}, f"{path} is written, {size_words(size)}.")
