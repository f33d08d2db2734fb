"""A tool of an MCP server."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from shared.errors import NexusError
from tool_executor.domain.artifact import NewArtifact
from tool_executor.domain.mcp_catalog import NamedTool, OfferedTool, plain
from tool_executor.domain.mcp_result import BytesPart, CallOutcome, LinkPart, TextPart
from tool_executor.domain.mcp_schema import moved
from tool_executor.domain.mcp_server import McpFailure, McpRefusal, RegisteredServer
from tool_executor.domain.output_limit import encode
from tool_executor.domain.tool_call import ArtifactHandle, CallContext, ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.tool_definition import JsonObject, SideEffect, ToolDefinition
from tool_executor.ports.artifact_store import ArtifactStore
from tool_executor.ports.mcp_connection import McpConnection
from tool_executor.use_cases.bound_result import in_chunks
from tool_executor.use_cases.off_loop import off_loop

_MAX_CONCURRENCY = 8
_MAX_ATTACHMENTS = 20
_SAME_CHARS = 100_000
_GRACE_S = 5.0
_ATTACHMENT: JsonObject = {
    "type": "object",
    "properties": {
        "kind": {"type": "string"},
        "media_type": {"type": "string"},
        "size_bytes": {"type": "integer"},
        "name": {"type": "string"},
        "uri": {"type": "string"},
        "artifact_id": {"type": "string"},
        "note": {"type": "string"},
    },
}


class McpTool:
    """Calls a tool of a server for the organisation that registered it.

    Args:
        artifacts: keeps pictures, sounds and files that it answers with.
        server: whose tool it is.
        named: the tool.
        connection: gives the connection that stands now.
        timeout_s: longest time of a call.
    """

    def __init__(
        self,
        artifacts: ArtifactStore,
        server: RegisteredServer,
        named: NamedTool,
        connection: Callable[[], McpConnection],
        *,
        timeout_s: float,
    ) -> None:
        self._original = named.tool.original
        self._connection = connection
        self._artifacts = artifacts
        self._definition = ToolDefinition(
            name=named.name,
            version=f"1.0.0+{named.digest[:12]}",
            description=f"[MCP server {server.spec.name}, tool {plain(named.tool.original)}] {named.tool.description}",
            input_schema=named.tool.input_schema,
            output_schema=_output_schema(named.tool),
            side_effect=_side_effect(named.tool, server.spec.default_side_effect),
            timeout_s=timeout_s,
            max_concurrency=_MAX_CONCURRENCY,
            examples=(),
            owner=server.user_id,
            source=f"mcp:{server.spec.name}",
        )

    @property
    def definition(self) -> ToolDefinition:
        """What the tool says of itself."""
        return self._definition

    async def run(self, arguments: JsonObject, call: CallContext) -> ToolOutput:
        """Call the tool; cancelling tells the server.

        Raises:
            ToolFailure: what the tool says, or why it could not be called.
            UpstreamDown: MCP_SERVER_DOWN.
            QuotaExceeded: TOOL_BUSY.
        """
        try:
            outcome = await self._connection().call_tool(self._original, arguments, call.timeout_s + _GRACE_S)
        except McpFailure as failure:
            raise ToolFailure("MCP_SERVER_DOWN", f"The MCP server failed: {failure.message}.", broken=True) from failure
        except McpRefusal as refusal:
            raise _refused(refusal) from refusal
        return await self._output(outcome, call)

    async def _output(self, outcome: CallOutcome, call: CallContext) -> ToolOutput:
        attachments, handles = await self._attachments(outcome, call)
        text = "\n".join(part.text for part in outcome.parts if isinstance(part, TextPart))
        value: dict[str, object] = {}
        if outcome.structured is not None:
            value["structured"] = outcome.structured
            await off_loop(value, lambda: _encoded(value))
        if text and not (outcome.structured is not None and _says_the_same(text, outcome.structured)):
            value["text"] = text
        if attachments:
            value["attachments"] = attachments
        summary = text or (await off_loop(value, lambda: _encoded(value)) if value else "")
        if outcome.is_error:
            raise ToolFailure("MCP_TOOL_FAILED", summary or "It failed.", value=value, artifacts=handles)
        return ToolOutput(value, summary or "It answered with nothing.", handles)

    async def _attachments(
        self, outcome: CallOutcome, call: CallContext
    ) -> tuple[Sequence[Mapping[str, object]], tuple[ArtifactHandle, ...]]:
        """Return what is told of the parts that are no text, and what was kept of them."""
        told: list[Mapping[str, object]] = []
        handles: list[ArtifactHandle] = []
        others = [part for part in outcome.parts if not isinstance(part, TextPart)]
        for number, part in enumerate(others[:_MAX_ATTACHMENTS], 1):
            if isinstance(part, LinkPart):
                told.append({"kind": "link", "uri": part.uri, "name": part.name, "media_type": part.media_type})
                continue
            one: dict[str, object] = {
                "kind": part.kind,
                "media_type": part.media_type,
                "size_bytes": len(part.data),
                "name": part.name or self._file_name(part, number),
            }
            try:
                handle = await self._kept(str(one["name"]), part, call)
            except NexusError as error:
                one["note"] = f"it could not be kept: {error.message}"
            else:
                one["artifact_id"] = handle.artifact_id
                handles.append(handle)
            told.append(one)
        if len(others) > _MAX_ATTACHMENTS:
            told.append({"kind": "note", "note": f"{len(others) - _MAX_ATTACHMENTS} more were left out"})
        return told, tuple(handles)

    async def _kept(self, name: str, part: BytesPart, call: CallContext) -> ArtifactHandle:
        new = NewArtifact(name, part.media_type, self._definition.name, call.origin.run_id)
        return (await self._artifacts.put(call.principal, new, in_chunks(part.data))).handle

    def _file_name(self, part: BytesPart, number: int) -> str:
        return f"{self._definition.name}-{number}{mimetypes.guess_extension(part.media_type) or '.bin'}"


def _refused(refusal: McpRefusal) -> ToolFailure:
    if refusal.is_timeout:
        return ToolFailure("TOOL_TIMEOUT", refusal.message, status=ToolStatus.TIMEOUT, broken=True)
    if refusal.blames_arguments:
        return ToolFailure(
            "MCP_ARGUMENTS_REFUSED",
            f"The server refuses the arguments: {refusal.message}",
            status=ToolStatus.INVALID_ARGUMENTS,
        )
    return ToolFailure("MCP_REQUEST_FAILED", f"The server refuses the call: {refusal.message}")


def _side_effect(tool: OfferedTool, default: SideEffect | None) -> SideEffect:
    """Return what a call does to the world: a server's word that it changes nothing counts when its owner trusts it.

    That it does change something is believed of every server.
    """
    if default is None or (default is SideEffect.READ and tool.claims_read_only is False):
        return SideEffect.EXTERNAL
    return SideEffect.READ if tool.claims_read_only else default


def _output_schema(tool: OfferedTool) -> JsonObject:
    schema = tool.output_schema
    if schema is None:
        return {
            "type": "object",
            "properties": {
                "text": {"type": "string"},
                "structured": {},
                "attachments": {"type": "array", "items": _ATTACHMENT},
            },
        }
    return {
        "type": "object",
        "required": ["structured"],
        "properties": {
            "text": {"type": "string"},
            "structured": moved(schema, "/properties/structured"),
            "attachments": {"type": "array", "items": _ATTACHMENT},
        },
    }


def _says_the_same(text: str, structured: object) -> bool:
    """Return whether `text` is `structured` or the only value in it, as servers repeat it for clients of old."""
    if len(text) > _SAME_CHARS:
        return False
    values: list[object] = [structured]
    if isinstance(structured, dict):
        inside = list(cast("dict[str, object]", structured).values())
        values += inside if len(inside) == 1 else []
    try:
        said: object = json.loads(text)
    except (ValueError, RecursionError):
        return text in values
    return text in values or said in values


def _encoded(value: Mapping[str, object]) -> str:
    try:
        return encode(value)
    except (TypeError, ValueError):
        raise ToolFailure("MCP_ANSWER_INVALID", "The server's answer is no JSON.", broken=True) from None
