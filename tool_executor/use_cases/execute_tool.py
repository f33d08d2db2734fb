"""Runs a tool."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from shared.auth.principal import Principal
from shared.clock import Clock
from tool_executor.domain.arguments import canonical, parse_arguments
from tool_executor.domain.errors import time_zone_unknown, tool_disabled
from tool_executor.domain.output_limit import clip, fit
from tool_executor.domain.time_zones import zone_of
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolResult, ToolStatus
from tool_executor.domain.tool_definition import JsonObject
from tool_executor.ports.call_memory import CallKey, CallMemory
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_policy import ToolPolicy
from tool_executor.ports.tool_registry import ToolRegistry
from tool_executor.use_cases.find_tool import find_tool

_SUMMARY_CHARS = 8_000


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a caller asks for.

    Args:
        name: the tool.
        arguments_json: the arguments, one JSON object.
        request_id: idempotency key; empty for none.
        timeout_s: a shorter limit than the tool's own; None for the tool's.
        time_zone: the caller's IANA zone; empty for UTC.
    """

    name: str
    arguments_json: str
    request_id: str
    timeout_s: float | None
    time_zone: str


class ExecuteTool:
    """Runs one tool call: policy, arguments, the tool, its output.

    Args:
        registry: the tools.
        policy: which of them are off.
        memory: what makes a repeated call happen once.
        clock: measures durations.
        output_limit_bytes: most bytes of output as JSON; longer output is cut.
    """

    def __init__(
        self,
        registry: ToolRegistry,
        policy: ToolPolicy,
        memory: CallMemory,
        clock: Clock,
        *,
        output_limit_bytes: int,
    ) -> None:
        self._registry = registry
        self._policy = policy
        self._memory = memory
        self._clock = clock
        self._output_limit_bytes = output_limit_bytes

    async def __call__(self, principal: Principal, call: ToolCall) -> ToolResult:
        """Run `call` once per (organisation, request id); what the tool says, an error included, is a result.

        Raises:
            NotFound: TOOL_UNKNOWN.
            PreconditionFailed: TOOL_DISABLED.
            InvalidInput: TIME_ZONE_UNKNOWN.
            AlreadyExists: REQUEST_ID_REUSED for another call.
            QuotaExceeded: TOOL_BUSY.
            UpstreamDown: when it is not known whether the tool is enabled.
        """
        tool = find_tool(self._registry, call.name)
        if zone_of(call.time_zone) is None:
            raise time_zone_unknown(call.time_zone)
        arguments = _parsed(call.arguments_json)

        async def work() -> ToolResult:
            await self._require_enabled(principal, call.name)
            return await self._run(tool, arguments, _context(principal, call, tool.definition.timeout_s))

        if not call.request_id:
            return await work()
        key = CallKey(principal.org_id, call.request_id)
        return await self._memory.once(key, _fingerprint(principal, call, arguments), work)

    async def _require_enabled(self, principal: Principal, name: str) -> None:
        if name in await self._policy.disabled_tools(principal):
            raise tool_disabled(name)

    async def _run(self, tool: Tool, arguments: JsonObject | ToolFailure, context: CallContext) -> ToolResult:
        started = self._clock.monotonic()
        try:
            if isinstance(arguments, ToolFailure):
                raise arguments
            output = await tool.run(arguments, context)
        except ToolFailure as failure:
            return self._failed(failure, self._clock.monotonic() - started)
        return self._succeeded(output, self._clock.monotonic() - started)

    def _succeeded(self, output: ToolOutput, duration_s: float) -> ToolResult:
        text, cut = fit(output.value, self._output_limit_bytes)
        summary, clipped = clip(output.summary, _SUMMARY_CHARS)
        return ToolResult(ToolStatus.OK, text, summary, "", cut or clipped, duration_s)

    def _failed(self, failure: ToolFailure, duration_s: float) -> ToolResult:
        text, cut = fit(failure.value, self._output_limit_bytes) if failure.value is not None else ("", False)
        summary, clipped = clip(failure.summary, _SUMMARY_CHARS)
        return ToolResult(failure.status, text, summary, failure.reason, cut or clipped, duration_s)


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
    return CallContext(principal, call.time_zone or "UTC", timeout_s, call.request_id)


def _fingerprint(principal: Principal, call: ToolCall, arguments: JsonObject | ToolFailure) -> bytes:
    """Return a digest of what the result depends on; the user too, since a tool may read what is that user's own."""
    said = call.arguments_json.encode() if isinstance(arguments, ToolFailure) else canonical(arguments)
    digest = hashlib.sha256()
    for part in (principal.user_id.encode(), call.name.encode(), call.time_zone.encode(), said):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.digest()
