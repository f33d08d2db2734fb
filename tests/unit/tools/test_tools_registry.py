"""The registry: sources are replaced as a whole, or not at all."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence

import pytest
from tools_fakes import ECHO, ScriptedTool, call_context

from shared.errors import AlreadyExists, NexusError, PreconditionFailed, UpstreamDown
from tool_executor.adapters.tool_checked import CheckedTool
from tool_executor.adapters.tool_registry_memory import MOST_TOOLS, MemoryToolRegistry
from tool_executor.domain.tool_call import CallContext, ToolOutput
from tool_executor.domain.tool_definition import JsonObject
from tool_executor.domain.tool_source import BUILTIN, SourceId, ToolChange
from tool_executor.ports.tool import Tool
from tool_executor.ports.tool_source import ToolSource
from tool_executor.use_cases.reload_tools import ReloadTools

OURS, THEIRS = SourceId("mcp:files", "org-a"), SourceId("mcp:files", "org-b")


def tools(*names: str) -> list[Tool]:
    return [ScriptedTool(definition=dataclasses.replace(ECHO, name=name)) for name in names]


def seen(registry: MemoryToolRegistry, org_id: str = "org-a") -> list[str]:
    return [tool.definition.name for tool in registry.all(org_id)]


def test_an_organisation_sees_its_own_tools_and_those_of_all() -> None:
    registry = MemoryToolRegistry(tools("b", "d"))
    assert registry.put(OURS, tools("c", "a")) == ToolChange(added=("a", "c"))
    registry.put(THEIRS, tools("a", "z"))
    assert seen(registry) == ["a", "b", "c", "d"]
    assert seen(registry, "org-b") == ["a", "b", "d", "z"]
    assert seen(registry, "org-c") == ["b", "d"]
    assert registry.find("org-a", "a") is not registry.find("org-b", "a")
    assert registry.find("org-c", "a") is None


def test_a_source_is_replaced_and_dropped_as_a_whole() -> None:
    registry = MemoryToolRegistry(tools("b"))
    registry.put(OURS, tools("a", "c"))
    assert registry.put(OURS, tools("c", "d")) == ToolChange(added=("d",), removed=("a",))
    assert seen(registry) == ["b", "c", "d"]
    assert registry.drop(OURS) == ToolChange(removed=("c", "d"))
    assert registry.drop(OURS) == ToolChange()
    assert seen(registry) == ["b"]


@pytest.mark.parametrize(
    ("source", "names", "told"),
    [
        (OURS, ("new", "b"), "mcp:files gives a tool 'b', and so does builtin"),
        (SourceId("mcp:more", "org-a"), ("new", "a"), "and so does mcp:files"),
        (OURS, ("new", "new"), "and so does mcp:files itself"),
        (BUILTIN, ("new", "a"), "and so does another source"),
    ],
)
def test_a_name_that_is_taken_changes_nothing(source: SourceId, names: Sequence[str], told: str) -> None:
    registry = MemoryToolRegistry(tools("b"))
    registry.put(OURS, tools("a"))
    before = registry.all("org-a")
    with pytest.raises(AlreadyExists, match=told) as caught:
        registry.put(source, tools(*names))
    assert caught.value.reason == "TOOL_NAME_TAKEN"
    assert registry.all("org-a") == before


def test_two_tools_of_one_source_cannot_share_a_name() -> None:
    with pytest.raises(AlreadyExists):
        MemoryToolRegistry([ScriptedTool(), ScriptedTool()])


def test_too_many_tools_change_nothing() -> None:
    registry = MemoryToolRegistry(tools("b"))
    with pytest.raises(PreconditionFailed) as caught:
        registry.put(OURS, tools(*(f"t{number}" for number in range(MOST_TOOLS + 1))))
    assert caught.value.reason == "TOOLS_TOO_MANY"
    assert seen(registry) == ["b"]


def test_every_tool_gets_what_stands_around_tools_and_a_wrong_schema_changes_nothing() -> None:
    registry = MemoryToolRegistry(tools("b"), lambda source, tool: CheckedTool(tool))
    wrong = ScriptedTool(definition=dataclasses.replace(ECHO, name="wrong", input_schema={"type": "objekt"}))
    with pytest.raises(PreconditionFailed, match="'wrong'"):
        registry.put(OURS, [*tools("a"), wrong])
    assert seen(registry) == ["b"]
    registry.put(OURS, tools("a"))
    assert isinstance(registry.find("org-a", "a"), CheckedTool)


async def test_a_call_in_flight_ends_as_it_began() -> None:
    go = asyncio.Event()

    async def wait(arguments: JsonObject, call: CallContext) -> ToolOutput:
        await go.wait()
        return ToolOutput({"text": "old"}, "old")

    registry = MemoryToolRegistry([ScriptedTool(wait)])
    old = registry.find("org-a", "echo")
    assert old is not None
    running = asyncio.create_task(old.run({"text": "x"}, call_context()))
    await asyncio.sleep(0)
    registry.put(BUILTIN, tools("echo"))
    assert registry.find("org-a", "echo") is not old
    registry.drop(BUILTIN)
    go.set()
    assert (await running).summary == "old"


class Source:
    """Gives what the test says."""

    def __init__(self, source: SourceId, answer: list[Tool] | NexusError | float) -> None:
        self._source = source
        self.answer = answer

    @property
    def id(self) -> SourceId:
        return self._source

    async def load(self) -> Sequence[Tool]:
        if isinstance(self.answer, NexusError):
            raise self.answer
        if isinstance(self.answer, float):
            await asyncio.sleep(self.answer)
            return []
        return self.answer

    def of(self, org_id: str) -> Sequence[ToolSource]:
        return [self] if self._source.org_id in ("", org_id) else []


async def test_a_reload_asks_every_source_and_one_that_fails_keeps_its_tools() -> None:
    registry = MemoryToolRegistry(tools("a", "b"))
    for name in ("mcp:down", "mcp:slow", "mcp:clash"):
        registry.put(SourceId(name, "org-a"), tools(f"{name[4:]}_one"))
    registry.put(THEIRS, tools("theirs"))
    known = [
        Source(BUILTIN, tools("b", "c")),
        Source(SourceId("mcp:down", "org-a"), UpstreamDown("X", "It does not answer.")),
        Source(SourceId("mcp:slow", "org-a"), 60.0),
        Source(SourceId("mcp:clash", "org-a"), tools("c", "d")),
        Source(THEIRS, []),
    ]
    reloaded = await ReloadTools(registry, known, patience_s=0.02)("org-a")
    assert (reloaded.added, reloaded.removed) == (("c",), ("a",))
    assert [failure.partition(":")[2].partition(":")[0] for failure in reloaded.failed] == ["down", "slow", "clash"]
    assert "It does not answer." in reloaded.failed[0]
    assert "within 0.02 s" in reloaded.failed[1]
    assert "so does builtin" in reloaded.failed[2]
    assert seen(registry) == ["b", "c", "clash_one", "down_one", "slow_one"]
    assert seen(registry, "org-b") == ["b", "c", "theirs"]


def test_an_organisation_has_room_for_so_many_tools_of_its_own() -> None:
    registry = MemoryToolRegistry(tools("b"))
    more = SourceId("mcp:more", "org-a")
    registry.put(OURS, tools(*(f"a{number}" for number in range(MOST_TOOLS - 1))))
    registry.put(more, tools("c"))
    told = "mcp:more has 2 tools and the organisation's other servers have 999, together more than 1000"
    with pytest.raises(PreconditionFailed, match=told) as caught:
        registry.put(more, tools("c", "d"))
    assert caught.value.reason == "TOOLS_TOO_MANY"
    assert seen(registry)[-2:] == ["b", "c"]
    registry.put(THEIRS, tools("c", "d"))
    registry.put(OURS, tools(*(f"a{number}" for number in range(MOST_TOOLS - 2))))
    registry.put(more, tools("c", "d"))
