"""Messages to domain and back."""

from __future__ import annotations

import base64
import binascii
import json

from google.protobuf.duration_pb2 import Duration

from protos.gen.nexus.tools.v1 import tools_pb2
from shared.circuit_breaker import Breaker
from shared.errors import FieldViolation, InvalidInput
from tool_executor.domain.tool_call import CallOrigin, ToolResult, ToolStatus
from tool_executor.domain.tool_definition import SideEffect
from tool_executor.domain.tool_standing import ListedTool
from tool_executor.use_cases.execute_tool import ToolCall
from tool_executor.use_cases.reload_tools import Reloaded
from tool_executor.use_cases.search_tools import FoundTool

_SIDE_EFFECTS = {
    SideEffect.READ: tools_pb2.SIDE_EFFECT_READ,
    SideEffect.WRITE: tools_pb2.SIDE_EFFECT_WRITE,
    SideEffect.EXTERNAL: tools_pb2.SIDE_EFFECT_EXTERNAL,
    SideEffect.PAYMENT: tools_pb2.SIDE_EFFECT_PAYMENT,
}
_STATUSES = {
    ToolStatus.OK: tools_pb2.TOOL_STATUS_OK,
    ToolStatus.INVALID_ARGUMENTS: tools_pb2.TOOL_STATUS_INVALID_ARGUMENTS,
    ToolStatus.ERROR: tools_pb2.TOOL_STATUS_ERROR,
    ToolStatus.TIMEOUT: tools_pb2.TOOL_STATUS_TIMEOUT,
}
_BREAKERS = {
    Breaker.CLOSED: tools_pb2.BREAKER_STATE_CLOSED,
    Breaker.OPEN: tools_pb2.BREAKER_STATE_OPEN,
    Breaker.HALF_OPEN: tools_pb2.BREAKER_STATE_HALF_OPEN,
}


def tool_to_proto(tool: ListedTool) -> tools_pb2.Tool:
    """Return `tool` as a message."""
    definition = tool.definition
    return tools_pb2.Tool(
        name=definition.name,
        description=definition.description,
        input_json_schema=json.dumps(definition.input_schema),
        output_json_schema=json.dumps(definition.output_schema),
        side_effect=_SIDE_EFFECTS[definition.side_effect],
        timeout=_duration(definition.timeout_s),
        enabled=tool.decision.enabled,
        allowed=tool.decision.allowed,
        blocked_reason=tool.decision.reason,
        examples=definition.examples,
        version=definition.version,
        owner=definition.owner,
        source=definition.source,
        permissions=definition.permissions,
        cost_micro_usd=definition.cost_micro_usd,
        supports_dry_run=definition.supports_dry_run,
        quota=tools_pb2.ToolQuota(
            calls_per_minute=definition.calls_per_minute,
            calls_per_day=definition.calls_per_day,
            minute_used=tool.used.minute,
            day_used=tool.used.day,
        ),
        breaker=_BREAKERS[tool.breaker],
    )


def found_to_proto(found: FoundTool) -> tools_pb2.FoundTool:
    """Return a tool that fits a question as a message."""
    return tools_pb2.FoundTool(tool=tool_to_proto(found.tool), score=found.score)


def reloaded_to_proto(reloaded: Reloaded) -> tools_pb2.ReloadToolsResponse:
    """Return what a reload changed as a message."""
    return tools_pb2.ReloadToolsResponse(added=reloaded.added, removed=reloaded.removed, failed=reloaded.failed)


def call_from_proto(request: tools_pb2.ExecuteToolRequest) -> ToolCall:
    """Return the call that `request` asks for."""
    limited = request.HasField("timeout")
    return ToolCall(
        name=request.name,
        arguments_json=request.arguments_json,
        request_id=request.request_id,
        timeout_s=request.timeout.ToNanoseconds() / 1e9 if limited else None,
        time_zone=request.time_zone,
        origin=CallOrigin(request.agent, request.channel, request.conversation_id, request.run_id),
        dry_run=request.dry_run,
    )


def result_to_proto(result: ToolResult) -> tools_pb2.ToolResult:
    """Return `result` as a message."""
    return tools_pb2.ToolResult(
        status=_STATUSES[result.status],
        output_json=result.output_json,
        summary=result.summary,
        error_reason=result.error_reason,
        truncated=result.truncated,
        duration=_duration(result.duration_s),
        artifacts=[
            tools_pb2.ArtifactHandle(
                artifact_id=artifact.artifact_id,
                name=artifact.name,
                media_type=artifact.media_type,
                size_bytes=artifact.size_bytes,
            )
            for artifact in result.artifacts
        ],
    )


def page_token(next_after: str | None) -> str:
    """Return the token of the page after the tool `next_after`; empty for None, on the last page."""
    return base64.urlsafe_b64encode(next_after.encode()).decode() if next_after else ""


def after_of(token: str) -> str:
    """Return the name after which the page of `token` begins; empty for the first page.

    Raises:
        InvalidInput: with reason PAGE_TOKEN_INVALID.
    """
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise InvalidInput(
            "PAGE_TOKEN_INVALID",
            "The page token is not one of ListTools. Leave it out to begin with the first page.",
            violations=[FieldViolation("page_token", "is not one of ListTools")],
        ) from error


def _duration(seconds: float) -> Duration:
    duration = Duration()
    duration.FromNanoseconds(round(seconds * 1e9))
    return duration
