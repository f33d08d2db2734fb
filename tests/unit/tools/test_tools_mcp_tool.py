"""A tool of an MCP server: what a model gets of its answers, and what of its schemas is held to."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from artifact_fakes import MemoryArtifactStore
from tools_fakes import ECHO, ScriptedTool, call_context

from tool_executor.adapters.tool_gated import GatedTool
from tool_executor.adapters.tool_mcp import McpTool
from tool_executor.domain.mcp_catalog import NamedTool, OfferedTool
from tool_executor.domain.mcp_result import BytesPart, CallOutcome, LinkPart, Part, TextPart
from tool_executor.domain.mcp_server import HttpTransport, McpFailure, McpRefusal, RegisteredServer, ServerSpec
from tool_executor.domain.schema_cost import costs_at_most
from tool_executor.domain.tool_call import CallContext, ToolFailure, ToolOutput, ToolStatus
from tool_executor.domain.tool_definition import SideEffect


class Answers:
    """A connection whose tool answers as the test says."""

    def __init__(self, answer: CallOutcome | Exception) -> None:
        self._answer = answer
        self.asked: list[tuple[str, Any]] = []

    async def call_tool(self, name: str, arguments: Any, timeout_s: float) -> CallOutcome:
        self.asked.append((name, arguments))
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def mcp_tool(answer: CallOutcome | Exception, effect: SideEffect | None = None, **changes: Any) -> McpTool:
    values: dict[str, Any] = {"output_schema": None, "claims_read_only": None} | changes
    offered = OfferedTool("getIt", "Gets it.", {"type": "object"}, **values)
    spec = ServerSpec("srv", HttpTransport("https://example.org"), effect)
    server = RegisteredServer("org-a", "user-1", "", spec, datetime(2026, 11, 20, tzinfo=UTC))
    connection: Any = Answers(answer)
    return McpTool(
        MemoryArtifactStore(), server, NamedTool("srv_get_it", offered, offered.digest), lambda: connection, timeout_s=9
    )


def said(*parts: Part, structured: object = None, is_error: bool = False) -> CallOutcome:
    return CallOutcome(parts, structured, is_error)


async def output(*parts: Part, structured: object = None) -> ToolOutput:
    return await mcp_tool(said(*parts, structured=structured)).run({}, call_context())


async def failure(answer: CallOutcome | Exception) -> ToolFailure:
    with pytest.raises(ToolFailure) as caught:
        await mcp_tool(answer).run({}, call_context())
    return caught.value


@pytest.mark.parametrize(
    ("owner_says", "server_claims", "effect"),
    [
        (None, None, SideEffect.EXTERNAL),
        (None, True, SideEffect.EXTERNAL),
        (SideEffect.WRITE, None, SideEffect.WRITE),
        (SideEffect.WRITE, True, SideEffect.READ),
        (SideEffect.READ, None, SideEffect.READ),
        (SideEffect.READ, False, SideEffect.EXTERNAL),
        (SideEffect.PAYMENT, False, SideEffect.PAYMENT),
    ],
)
def test_a_servers_word_counts_when_its_owner_trusts_it(
    owner_says: SideEffect | None, server_claims: bool | None, effect: SideEffect
) -> None:
    assert mcp_tool(said(), owner_says, claims_read_only=server_claims).definition.side_effect is effect


def test_a_definition_says_where_it_comes_from() -> None:
    definition = mcp_tool(said()).definition
    assert (definition.name, definition.source, definition.owner) == ("srv_get_it", "mcp:srv", "user-1")
    assert definition.description == "[MCP server srv, tool getIt] Gets it."
    assert definition.version != mcp_tool(said(), output_schema={"type": "object"}).definition.version


async def test_texts_come_together_and_what_is_said_twice_comes_once() -> None:
    assert (await output(TextPart("a"), TextPart("b"))).value == {"text": "a\nb"}
    assert (await output(TextPart('{"a": [1]}'), structured={"a": [1]})).value == {"structured": {"a": [1]}}
    assert (await output(TextPart("3"), structured={"result": 3})).value == {"structured": {"result": 3}}
    assert (await output(TextPart("hi\n"), structured={"content": "hi\n"})).value == {"structured": {"content": "hi\n"}}
    both = await output(TextPart("It is 3."), structured={"result": 3})
    assert (both.value, both.summary) == ({"text": "It is 3.", "structured": {"result": 3}}, "It is 3.")
    assert (await output()).summary == "It answered with nothing."


async def test_pictures_become_artifacts_and_links_stay_links() -> None:
    got = await output(
        BytesPart("image", "image/png", b"\x89PNG\r\n\x1a\n."),
        LinkPart("file:///a", "a", "text/plain"),
        *(BytesPart("resource", "text/plain", b"x", f"{n}.txt") for n in range(25)),
    )
    attachments: Any = got.value["attachments"]
    assert (attachments[0]["kind"], attachments[0]["name"]) == ("image", "srv_get_it-1.png")
    assert attachments[1] == {"kind": "link", "uri": "file:///a", "name": "a", "media_type": "text/plain"}
    assert attachments[-1] == {"kind": "note", "note": "7 more were left out"}
    assert [each.artifact_id for each in got.artifacts] == [a["artifact_id"] for a in attachments if "artifact_id" in a]
    assert len(got.artifacts) == 19


async def test_failures_say_who_is_to_blame() -> None:
    own = await failure(said(TextPart("no such file"), is_error=True))
    assert (own.reason, own.summary, own.broken) == ("MCP_TOOL_FAILED", "no such file", False)
    gone = await failure(McpFailure("it fell"))
    assert (gone.reason, gone.broken) == ("MCP_SERVER_DOWN", True)
    wrong = await failure(McpRefusal("x is missing", blames_arguments=True))
    assert (wrong.reason, wrong.status) == ("MCP_ARGUMENTS_REFUSED", ToolStatus.INVALID_ARGUMENTS)
    late = await failure(McpRefusal("late", is_timeout=True))
    assert (late.reason, late.status, late.broken) == ("TOOL_TIMEOUT", ToolStatus.TIMEOUT, True)
    assert (await failure(McpRefusal("no"))).reason == "MCP_REQUEST_FAILED"
    assert (await failure(said(structured={"a": float("nan")}))).reason == "MCP_ANSWER_INVALID"


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"next": {"$ref": "#"}, "n": {"type": "integer"}, "code": {"pattern": "^(a+)+$"}},
}


async def test_structured_output_is_held_to_the_servers_own_schema() -> None:
    good = mcp_tool(said(structured={"n": 1, "next": {"n": 2}}), output_schema=SCHEMA)
    assert (await GatedTool(good).run({}, call_context())).value["structured"] == {"n": 1, "next": {"n": 2}}
    for wrong in ({"n": "x"}, {"next": {"n": "x"}}, None):
        bad = GatedTool(mcp_tool(said(TextPart("t"), structured=wrong), output_schema=SCHEMA))
        with pytest.raises(ToolFailure, match="TOOL_OUTPUT_INVALID"):
            await bad.run({}, call_context())


async def test_a_pattern_that_backtracks_and_a_value_that_is_huge_cost_nothing() -> None:
    wide = {
        "type": "object",
        "properties": {"text": {"anyOf": [{"const": n} for n in range(300)]}, **SCHEMA["properties"]},
    }
    gated = GatedTool(ScriptedTool(definition=replace(ECHO, input_schema=wide, output_schema={"type": "object"})))
    await gated.run({"text": "x" * 200_000}, call_context())
    await gated.run({"text": 7, "code": "a" * 100 + "!"}, call_context())
    with pytest.raises(ToolFailure, match="ARGUMENTS_INVALID") as caught:
        await gated.run({"text": 7, "n": "seven"}, call_context())
    assert "n: must be of type integer" in json.dumps(caught.value.summary)


CHOICES: dict[str, Any] = {"anyOf": [{"type": "string", "maxLength": n} for n in range(300)]}


async def test_every_branch_for_every_item_counts_and_too_much_is_left_to_the_server() -> None:
    schema = {"type": "object", "properties": {"items": {"type": "array", "items": CHOICES}}}
    gated = GatedTool(ScriptedTool(taking, replace(ECHO, input_schema=schema, output_schema=schema)))
    began = time.perf_counter()
    await gated.run({"items": [7] * 1_500}, call_context())
    assert time.perf_counter() - began < 1
    with pytest.raises(ToolFailure, match="ARGUMENTS_INVALID"):
        await gated.run({"items": [7] * 4}, call_context())


@pytest.mark.parametrize(
    ("schema", "value", "units"),
    cast(
        "list[tuple[dict[str, Any], dict[str, Any], int]]",
        [
            ({}, {}, 1),
            ({"properties": {"a": {"items": {"anyOf": [{}, {}]}}}}, {"a": [1, 2]}, 8),
            ({"additionalProperties": {"allOf": [{}], "enum": [1, 2]}}, {"a": 1, "b": 1}, 9),
            ({"properties": {"a": {"required": ["b", "c"], "additionalProperties": False}}}, {"a": {}}, 4),
            ({"properties": {"a": {}}}, {"a": "x" * 10_240}, 22),
            ({}, {"a": [[1] * 8]}, 3),
        ],
    ),
)
def test_the_cost_of_a_check_is_counted(schema: dict[str, Any], value: dict[str, Any], units: int) -> None:
    assert costs_at_most(schema, value, units)
    assert not costs_at_most(schema, value, units - 1)


async def test_an_output_that_is_much_stops_nobody_else() -> None:
    schema = {"type": "object", "properties": {"items": {"type": "array", "items": {"type": "object"}}}}
    gated = GatedTool(ScriptedTool(taking, replace(ECHO, input_schema={"type": "object"}, output_schema=schema)))
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(tick())
    await gated.run({"items": [{"a": 1}] * 10_000}, call_context())
    beside.cancel()
    assert ticks > 0


async def taking(arguments: Mapping[str, object], call: CallContext) -> ToolOutput:
    """Give the arguments back."""
    return ToolOutput(arguments, "")
