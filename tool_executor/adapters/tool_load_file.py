"""The tool `load_file`: puts an artifact into the conversation's workspace."""

from __future__ import annotations

from typing import cast

from tool_executor.adapters.tool_definition_yaml import load_definition
from tool_executor.domain.artifact import size_words
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject, ToolDefinition
from tool_executor.ports.workspaces import Workspaces
from tool_executor.use_cases.move_artifacts import Load, MoveArtifacts


class LoadFileTool:
    """Loads an artifact of the caller's organisation.

    Args:
        workspaces: of the conversations.
        artifacts: opens the artifact.
    """

    def __init__(self, workspaces: Workspaces, artifacts: MoveArtifacts) -> None:
        self._workspaces = workspaces
        self._artifacts = artifacts
        self._definition = load_definition("load_file")

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Load the artifact of `arguments`.

        Raises:
            ToolFailure: WORKSPACE_NEEDS_CONVERSATION.
            NexusError: ARTIFACT_UNKNOWN, PATH_INVALID, FILE_REFUSED; what refuses a workspace.
        """
        load = Load(cast("str", arguments["artifact_id"]), cast("str", arguments.get("path", "")))
        async with self._workspaces.used(call) as workspace:
            path, size = await self._artifacts.into(workspace, load, call)
        return ToolOutput({"path": path, "size_bytes": size}, f"{path} is in the workspace, {size_words(size)}.")
