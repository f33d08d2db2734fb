"""The tool `list_files`: lists the files of the conversation's workspace."""

from __future__ import annotations

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.artifact import size_words
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.domain.workspace_file import is_passing
from tool_executor.ports.workspaces import Workspaces

_MOST_LISTED = 500
_MOST_TOLD = 50


class ListFilesTool:
    """Lists files by path; hidden ones are left out.

    Args:
        workspaces: of the conversations.
    """

    def __init__(self, workspaces: Workspaces) -> None:
        self._workspaces = workspaces
        self._definition = load_definition("list_files")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """List the files.

        Raises:
            ToolFailure: WORKSPACE_NEEDS_CONVERSATION.
            NexusError: what refuses a workspace.
        """
        del arguments
        async with self._workspaces.used(call) as workspace:
            listing = await workspace.files()
        files = [file for file in listing.files if not is_passing(file.path)]
        value = {
            "files": [{"path": file.path, "size_bytes": file.size_bytes} for file in files[:_MOST_LISTED]],
            "more": listing.truncated or len(files) > _MOST_LISTED,
        }
        if not files:
            return ToolOutput(value, "The workspace is empty.")
        named = [f"{file.path} ({size_words(file.size_bytes)})" for file in files[:_MOST_TOLD]]
        rest = f", and {len(files) - _MOST_TOLD} more" if len(files) > _MOST_TOLD else ""
        return ToolOutput(value, f"The workspace holds {', '.join(named)}{rest}.")
