"""The tool `save_file`: makes an artifact of a file of the conversation's workspace."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.artifact import size_words
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.workspaces import Workspaces
from tool_executor.use_cases.move_artifacts import LeftFile, MoveArtifacts, workspace_file


class SaveFileTool:
    """Keeps a file for people, who download it.

    Args:
        workspaces: of the conversations.
        artifacts: makes the artifact.
    """

    def __init__(self, workspaces: Workspaces, artifacts: MoveArtifacts) -> None:
        self._workspaces = workspaces
        self._artifacts = artifacts
        self._definition = load_definition("save_file")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Keep the file of `arguments`.

        Raises:
            ToolFailure: WORKSPACE_NEEDS_CONVERSATION.
            NexusError: FILE_NOT_FOUND, PATH_INVALID, FILE_REFUSED; what refuses a workspace or an artifact.
        """
        path = cast("str", arguments["path"])
        async with self._workspaces.used(call) as workspace:
            file = workspace_file(workspace, path)
            named = LeftFile(cast("str", arguments.get("name", path)), file.pieces)
            handle = await self._artifacts.keep(self._definition.name, call, named)
        value = {
            "artifact_id": handle.artifact_id,
            "name": handle.name,
            "media_type": handle.media_type,
            "size_bytes": handle.size_bytes,
        }
        told = f"{path} is kept as the artifact {handle.name}, {size_words(handle.size_bytes)}: {handle.artifact_id}."
        return ToolOutput(value, told, (handle,))
