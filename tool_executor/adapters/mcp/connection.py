"""A connection to an MCP server over the official SDK."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import mcp_types as types
from mcp.client import Client
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost, listen
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import BaseModel, TypeAdapter, ValidationError

from shared.errors import QuotaExceeded
from tool_executor.adapters.mcp.content import content_of, messages_of, outcome_of, prompt_of, resource_of, tool_of
from tool_executor.adapters.mcp.limits import McpLimits
from tool_executor.adapters.mcp.watch import Watch
from tool_executor.domain.mcp_catalog import MAX_PROMPTS, MAX_RESOURCES, MAX_TOOLS, Offer, plain
from tool_executor.domain.mcp_result import CallOutcome, PromptMessage, ResourceContent
from tool_executor.domain.mcp_server import McpFailure, McpRefusal
from tool_executor.domain.tool_definition import JsonObject

_MOST_PAGES = 100
_TOLD_CHARS = 1_000
_RESOURCE_BYTES = 1_048_576
_LISTED_BYTES = 2_097_152
_BUSY_S = 1.0
_WRONG = frozenset({types.INVALID_PARAMS, -32002})  # -32002: an unknown resource, before 2026
_SESSION_LOST = "Session terminated"  # the SDK's words for an HTTP session that the server has forgotten
_CALL: TypeAdapter[types.CallToolResult | types.InputRequiredResult] = TypeAdapter(
    types.CallToolResult | types.InputRequiredResult
)
_READ: TypeAdapter[types.ReadResourceResult | types.InputRequiredResult] = TypeAdapter(
    types.ReadResourceResult | types.InputRequiredResult
)
_PROMPT: TypeAdapter[types.GetPromptResult | types.InputRequiredResult] = TypeAdapter(
    types.GetPromptResult | types.InputRequiredResult
)
R = TypeVar("R", bound=BaseModel)
T = TypeVar("T")


class SdkConnection:
    """Implements the port over a client that has agreed on a protocol version."""

    def __init__(self, client: Client, watch: Watch, limits: McpLimits) -> None:
        self._client = client
        self._session = client.session
        self._watch = watch
        self._limits = limits
        self._calls = 0

    async def offer(self) -> Offer:
        """Return what the server offers, within the limits; see the port."""
        can = self._client.server_capabilities
        notes: list[str] = []
        try:
            async with asyncio.timeout(self._limits.list_s):
                tools = await self._all("tools", can.tools, MAX_TOOLS, notes)
                resources = await self._all("resources", can.resources, MAX_RESOURCES, notes)
                prompts = await self._all("prompts", can.prompts, MAX_PROMPTS, notes)
        except TimeoutError:
            raise McpFailure("it does not list what it offers in time") from None
        except McpRefusal as refusal:
            raise McpFailure(f"it does not list what it offers: {refusal.message}") from refusal
        who = self._client.server_info
        name = plain(f"{who.name} {who.version}".strip(), 128) if who else ""
        return Offer(
            name,
            tuple(tool_of(tool) for tool in tools),
            _first("resources", map(resource_of, resources), notes),
            _first("prompts", map(prompt_of, prompts), notes),
            tuple(notes),
        )

    async def changed(self) -> None:
        """Wait until it is time to read the lists again; see the port."""
        for _ in range(self._limits.refresh_probes):
            try:
                async with asyncio.timeout(self._limits.probe_s):
                    await self._watch.news.wait()
            except TimeoutError:
                await self._probe()
            self._require_standing()
            if self._watch.has_changed:
                await asyncio.sleep(self._limits.settle_s)
                self._watch.has_changed = False
                self._watch.news.clear()
                self._require_standing()
                return

    async def call_tool(self, name: str, arguments: JsonObject, timeout_s: float) -> CallOutcome:
        """Call a tool; see the port."""
        request = types.CallToolRequest(params=types.CallToolRequestParams(name=name, arguments=dict(arguments)))
        # Not the session's own call_tool: it would check the answer against a schema that a stranger wrote.
        return outcome_of(_complete(await self._send(request, _CALL, timeout_s)))

    async def read_resource(self, uri: str, timeout_s: float) -> ResourceContent:
        """Read a resource; see the port."""
        request = types.ReadResourceRequest(params=types.ReadResourceRequestParams(uri=uri))
        return content_of(_complete(await self._send(request, _READ, timeout_s)), _RESOURCE_BYTES)

    async def get_prompt(self, name: str, arguments: JsonObject, timeout_s: float) -> tuple[PromptMessage, ...]:
        """Return a prompt; see the port."""
        texts = {key: str(value) for key, value in arguments.items()}
        request = types.GetPromptRequest(params=types.GetPromptRequestParams(name=name, arguments=texts))
        return messages_of(_complete(await self._send(request, _PROMPT, timeout_s)))

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None, None]:
        """Ask for notifications of changes while the block lasts: by the newest protocol nobody gets them unasked."""
        task = asyncio.create_task(self._listen(), name="mcp-listen")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})

    async def _listen(self) -> None:
        can = self._client.server_capabilities
        tools = bool(can.tools and can.tools.list_changed)
        resources = bool(can.resources and can.resources.list_changed)
        prompts = bool(can.prompts and can.prompts.list_changed)
        if not (tools or resources or prompts):
            return
        while not self._watch.why_ended:
            try:
                async with listen(
                    self._session,
                    tools_list_changed=tools,
                    resources_list_changed=resources,
                    prompts_list_changed=prompts,
                ) as changes:
                    # The watch has seen each of them on its way here.
                    async for _ in changes:
                        pass
            except ListenNotSupportedError:
                return
            except (SubscriptionLost, MCPError, TimeoutError, ValidationError):
                pass
            await asyncio.sleep(self._limits.probe_s)
            # What changed meanwhile, nobody said.
            self._watch.change()

    def _require_standing(self) -> None:
        if self._watch.why_ended:
            raise McpFailure(self._watch.why_ended)

    async def _probe(self) -> None:
        """Ask the server whether it is still there.

        Raises:
            McpFailure: when it does not answer in time.
        """
        version = self._client.protocol_version
        try:
            async with asyncio.timeout(self._limits.answer_s):
                if version in MODERN_PROTOCOL_VERSIONS:
                    await self._answered(lambda: self._session.send_discover(version))
                else:
                    await self._answered(self._session.send_ping)
        except TimeoutError:
            raise McpFailure("it does not answer any more") from None
        except McpRefusal as refusal:
            if refusal.is_timeout:
                raise McpFailure("it does not answer any more") from refusal

    async def _all(self, kind: str, capability: object, most: int, notes: list[str]) -> Sequence[Any]:
        """Return what the server lists of a kind, at most `most`; nothing when it says that it has none."""
        found: list[Any] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES if capability is not None else 0):
            params = types.PaginatedRequestParams(cursor=cursor) if cursor is not None else None
            page = await self._page(kind, params)
            found += getattr(page, kind)
            cursor = page.next_cursor
            if cursor is None or len(found) >= most:
                break
        if len(found) > most or cursor is not None:
            notes.append(f"it lists more than {min(most, len(found))} {kind}; the rest was left out")
        return found[:most]

    async def _page(self, kind: str, params: types.PaginatedRequestParams | None) -> types.PaginatedResult:
        session = self._session
        method: Callable[..., Awaitable[types.PaginatedResult]] = {
            "tools": session.list_tools,
            "resources": session.list_resources,
            "prompts": session.list_prompts,
        }[kind]
        return await self._answered(lambda: method(params=params))

    async def _send(self, request: types.Request[Any, Any], answer: TypeAdapter[R], timeout_s: float) -> R:
        if self._calls >= self._limits.calls:
            raise QuotaExceeded(
                "TOOL_BUSY",
                f"The MCP server already runs {self._limits.calls} calls, its limit. Try again in a moment.",
                retry_after_s=_BUSY_S,
            )
        self._calls += 1
        try:
            return await self._answered(
                lambda: self._session.send_request(
                    request, answer, request_read_timeout_seconds=timeout_s, progress_callback=_take_progress
                )
            )
        finally:
            self._calls -= 1

    async def _answered(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return what the server answers.

        Raises:
            McpRefusal: when that is an error.
            McpFailure: when the connection is gone, or the answer is not one of the protocol.
        """
        self._require_standing()
        try:
            return await ask()
        except MCPError as error:
            if error.code == types.CONNECTION_CLOSED or error.message == _SESSION_LOST:
                self._watch.end(plain(error.message, _TOLD_CHARS))
                raise McpFailure(self._watch.why_ended) from error
            raise McpRefusal(
                plain(error.message, _TOLD_CHARS),
                blames_arguments=error.code in _WRONG,
                is_timeout=error.code == types.REQUEST_TIMEOUT,
            ) from error
        except (ValidationError, ValueError, RuntimeError) as error:
            raise McpFailure("its answer does not keep to the protocol") from error


def _first(kind: str, items: Iterable[T], notes: list[str]) -> tuple[T, ...]:
    """Return the first of `items`, as many as may be told in one answer of ours."""
    found: list[T] = []
    left_bytes = _LISTED_BYTES
    for item in items:
        left_bytes -= len(str(item).encode("utf-8", "replace"))
        if left_bytes < 0:
            notes.append(f"its {kind} are described at too great a length; the rest was left out")
            break
        found.append(item)
    return tuple(found)


def _complete(result: T | types.InputRequiredResult) -> T:
    """Return `result` when it is one.

    Raises:
        McpRefusal: when the server asks for something first.
    """
    if isinstance(result, types.InputRequiredResult):
        raise McpRefusal("it asks for input from a model or a person, which Nexus does not give to servers")
    return result


async def _take_progress(progress: float, total: float | None, message: str | None) -> None:
    """Let the server say how far it is: nobody looks."""
