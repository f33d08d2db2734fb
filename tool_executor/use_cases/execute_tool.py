"""Runs a tool."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from shared.auth.principal import Principal
from shared.clock import Clock
from tool_executor.domain.arguments import canonical, parse_arguments
from tool_executor.domain.errors import dry_run_unsupported, time_zone_unknown
from tool_executor.domain.time_zones import zone_of
from tool_executor.domain.tool_call import (
    NOWHERE,
    CallContext,
    CallOrigin,
    ToolFailure,
    ToolResult,
    ToolStatus,
)
from tool_executor.domain.tool_definition import JsonObject
from tool_executor.ports.call_memory import CallMemories, KeyedCall
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.use_cases.authorize_call import AuthorizeCall
from tool_executor.use_cases.bound_result import BoundResult, Said
from tool_executor.use_cases.find_tool import find_tool


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a caller asks for.

    Args:
        name: the tool.
        arguments_json: the arguments, one JSON object.
        request_id: idempotency key; empty for none.
        timeout_s: a shorter limit than the tool's own; None for the tool's.
        time_zone: the caller's IANA zone; empty for UTC.
        origin: what the call is part of.
        dry_run: whether to tell what it would do, and do nothing.
    """

    name: str
    arguments_json: str
    request_id: str
    timeout_s: float | None
    time_zone: str
    origin: CallOrigin = NOWHERE
    dry_run: bool = False


class ExecuteTool:
    """Runs one tool call: policy, arguments, the tool, its output.

    Args:
        registry: the tools.
        authorize: lets calls through or refuses them.
        memories: what makes a repeated call happen once.
        clock: measures durations.
        bound: cuts what is too long.
    """

    def __init__(
        self,
        registry: ToolRegistry,
        authorize: AuthorizeCall,
        memories: CallMemories,
        clock: Clock,
        bound: BoundResult,
    ) -> None:
        self._registry = registry
        self._authorize = authorize
        self._memories = memories
        self._clock = clock
        self._bound = bound

    async def __call__(self, principal: Principal, call: ToolCall) -> ToolResult:
        """Run `call` once per (organisation, request id); what the tool says, an error included, is a result.

        Raises:
            NotFound: TOOL_UNKNOWN.
            PreconditionFailed: TOOL_DISABLED, DRY_RUN_UNSUPPORTED.
            Forbidden: TOOL_BLOCKED, with the policies that decided.
            InvalidInput: TIME_ZONE_UNKNOWN.
            AlreadyExists: REQUEST_ID_REUSED for another call.
            QuotaExceeded: TOOL_BUSY, TOOL_RATE_LIMITED, TOOL_QUOTA_EXCEEDED.
            UpstreamDown: TOOL_BROKEN; when it is not known what the organisation has set, or an effect cannot be
                audited or noted.
        """
        tool = find_tool(self._registry, principal.org_id, call.name)
        if zone_of(call.time_zone) is None:
            raise time_zone_unknown(call.time_zone)
        if call.dry_run and not tool.definition.supports_dry_run:
            raise dry_run_unsupported(call.name)
        arguments = _parsed(call.arguments_json)

        async def work() -> ToolResult:
            context = _context(principal, call, tool.definition.timeout_s)
            permitted_by = await self._authorize(tool.definition, arguments, context)
            return await self._run(tool, arguments, replace(context, permitted_by=permitted_by))

        # A dry run does nothing, so that its key is free for the call that does.
        if not call.request_id or call.dry_run:
            return await work()
        keyed = KeyedCall(principal.org_id, call.request_id, call.name, _fingerprint(principal, call, arguments))
        return await self._memories.of(tool.definition).once(keyed, work)

    async def _run(self, tool: Tool, arguments: JsonObject | ToolFailure, context: CallContext) -> ToolResult:
        started = self._clock.monotonic()
        try:
            if isinstance(arguments, ToolFailure):
                raise arguments
            output = await tool.run(arguments, context)
        except ToolFailure as failure:
            status, reason = failure.status, failure.reason
            said = Said(failure.value, failure.summary, failure.artifacts)
        else:
            status, reason = ToolStatus.OK, ""
            said = Said(output.value, output.summary, output.artifacts)
        bounded = await self._bound(tool.definition.name, context, said)
        took_s = self._clock.monotonic() - started
        return ToolResult(
            status, bounded.output_json, bounded.summary, reason, bounded.truncated, took_s, bounded.artifacts
        )


def _parsed(text: str) -> JsonObject | ToolFailure:
    """Return the arguments, or why they cannot be read: a malformed call is refused after policy, as any other."""
    try:
        arguments = parse_arguments(text)
        canonical(arguments)
    except ToolFailure as failure:
        return failure
    return arguments


def _context(principal: Principal, call: ToolCall, longest_s: float) -> CallContext:
    timeout_s = longest_s if call.timeout_s is None else min(longest_s, call.timeout_s)
    return CallContext(
        principal, call.time_zone or "UTC", timeout_s, call.request_id, origin=call.origin, dry_run=call.dry_run
    )


def _fingerprint(principal: Principal, call: ToolCall, arguments: JsonObject | ToolFailure) -> bytes:
    """Return a digest of what the result depends on; the user too, since a tool may read what is that user's own."""
    said = call.arguments_json.encode() if isinstance(arguments, ToolFailure) else canonical(arguments)
    digest = hashlib.sha256()
    for part in (principal.user_id.encode(), call.name.encode(), call.time_zone.encode(), said):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
