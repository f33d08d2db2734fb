"""Shows tools: their standing in a row, one of them whole, what a search found, how a call ended."""

from __future__ import annotations

import json
from collections.abc import Iterable

from mesh.cli.output import Output
from mesh.cli.printable import one_line
from mesh.cli.wording import enum_word
from protos.gen.nexus.tools.v1 import tools_pb2

_COLUMNS = ("tool", "state", "effect", "quota", "breaker", "source", "what it does")
_DESCRIPTION_WIDTH = 60
_MICRO = 1_000_000


def show_tools(tools: Iterable[tools_pb2.Tool], output: Output) -> None:
    """Show tools, a row each."""
    output.table(_COLUMNS, [_row(tool) for tool in tools], "There are no tools.")


def show_found(found: Iterable[tools_pb2.FoundTool], output: Output) -> None:
    """Show the tools that fit a question, the best first."""
    rows = [(f"{each.score:.2f}", *_row(each.tool)) for each in found]
    output.table(("fit", *_COLUMNS), rows, "There is no tool that you may use.")


def show_tool(tool: tools_pb2.Tool, output: Output) -> None:
    """Show all of one tool."""
    cost = f"{tool.cost_micro_usd / _MICRO:g} USD a call" if tool.cost_micro_usd else ""
    rows = [
        ("tool", f"{tool.name} {tool.version}"),
        ("state", _state(tool)),
        ("blocked", tool.blocked_reason if tool.enabled else ""),
        ("effect", enum_word(tools_pb2.SideEffect.DESCRIPTOR, tool.side_effect)),
        ("dry run", "yes" if tool.supports_dry_run else "no"),
        ("time limit", f"{tool.timeout.ToMilliseconds() / 1000:g} s"),
        ("quota", quota_words(tool.quota)),
        ("breaker", _breaker(tool)),
        ("cost", cost),
        ("permissions", ", ".join(["tools.execute", *tool.permissions])),
        ("source", tool.source),
        ("owner", tool.owner),
    ]
    output.table(("", ""), [row for row in rows if row[1]], "")
    output.prose(tool.description)
    for title, schema in (("Arguments", tool.input_json_schema), ("Output", tool.output_json_schema)):
        output.line(f"{title}:", "bold")
        output.line(_indented(schema))


def show_result(result: tools_pb2.ToolResult, output: Output) -> None:
    """Show how a call ended: what the tool says, its output, what it left."""
    done = result.status == tools_pb2.TOOL_STATUS_OK
    output.prose(result.summary, "" if done else "red")
    if result.output_json:
        output.line(_indented(result.output_json))
    rows = [(each.artifact_id, each.name, each.media_type, f"{each.size_bytes} bytes") for each in result.artifacts]
    if rows:
        output.table(("artifact", "name", "type", "size"), rows, "")
    ended = enum_word(tools_pb2.ToolStatus.DESCRIPTOR, result.status)
    reason = f", {result.error_reason}" if result.error_reason else ""
    cut = ", cut" if result.truncated else ""
    output.note(f"{ended}{reason}{cut}, {result.duration.ToMilliseconds()} ms")


def quota_words(quota: tools_pb2.ToolQuota) -> str:
    """Return what was used of the limits, for example `3/100 today, 1/10 a minute`; without limits what was used."""
    day = f"{quota.day_used}/{quota.calls_per_day} today" if quota.calls_per_day else ""
    minute = f"{quota.minute_used}/{quota.calls_per_minute} a minute" if quota.calls_per_minute else ""
    used = f"{quota.day_used} today" if quota.day_used else ""
    return ", ".join(part for part in (day or used, minute) if part)


def _row(tool: tools_pb2.Tool) -> tuple[str, ...]:
    return (
        tool.name,
        _state(tool),
        enum_word(tools_pb2.SideEffect.DESCRIPTOR, tool.side_effect),
        quota_words(tool.quota),
        _breaker(tool),
        tool.source,
        one_line(tool.description, _DESCRIPTION_WIDTH),
    )


def _state(tool: tools_pb2.Tool) -> str:
    if not tool.enabled:
        return "disabled"
    return "enabled" if tool.allowed else "blocked"


def _breaker(tool: tools_pb2.Tool) -> str:
    return enum_word(tools_pb2.BreakerState.DESCRIPTOR, tool.breaker)


def _indented(text: str) -> str:
    """Return JSON with indents; anything else as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text
