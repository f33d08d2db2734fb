"""`nexus tools`: what an agent can do, and whether it may."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mesh.cli.commands.tool_audit import audit
from mesh.cli.commands.tool_call import call
from mesh.cli.commands.tool_policies import policies
from mesh.cli.commands.tool_scopes import app as scopes
from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.tool_views import show_found, show_tool, show_tools
from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
app.add_typer(scopes, name="scope")
app.command()(audit)
app.command()(policies)
app.command()(call)
NameArgument = Annotated[str, typer.Argument(help="The tool's name.", metavar="NAME")]
AgentOption = Annotated[str, typer.Option("--agent", help="As this agent, whose scope narrows the tools.")]
ChannelOption = Annotated[str, typer.Option("--channel", help="As on this channel, whose scope narrows the tools.")]
_PAGE_SIZE = 500
_SEARCH_TIMEOUT_S = 120.0
"""The first search makes the vectors of every tool."""


@app.callback()
def tools() -> None:
    """The tools."""


@app.command("list")
def list_tools(
    agent: AgentOption = "", channel: ChannelOption = "", data: DataOption = None, as_json: JsonOption = False
) -> None:
    """List the tools with their state, what was used of their quotas, and their breakers."""

    async def work(session: Session, output: Output) -> None:
        request = tools_pb2.ListToolsRequest(page_size=_PAGE_SIZE, agent=agent, channel=channel)
        async with session.connect("tools") as link:
            stub = tools_pb2_grpc.ToolServiceStub(link.channel)
            reply = await stub.ListTools(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
            while reply.next_page_token:
                request.page_token = reply.next_page_token
                page = await stub.ListTools(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
                reply.tools.extend(page.tools)
                reply.next_page_token = page.next_page_token
        if output.as_json:
            output.message(reply)
        else:
            show_tools(reply.tools, output)

    invoke(work, data, as_json=as_json)


@app.command()
def show(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show one tool with its schemas, limits and state."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("tools") as link:
            stub = tools_pb2_grpc.ToolServiceStub(link.channel)
            request = tools_pb2.GetToolRequest(name=name)
            reply = await stub.GetTool(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            show_tool(reply.tool, output)

    invoke(work, data, as_json=as_json)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What the tool should do.", metavar="QUESTION")],
    limit: Annotated[int, typer.Option("--limit", help="Most tools to show.", min=1, max=100)] = 8,
    agent: AgentOption = "",
    channel: ChannelOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the tools that fit a question best, of those that you may use. Needs an embedding model."""

    async def work(session: Session, output: Output) -> None:
        request = tools_pb2.SearchToolsRequest(query=query, limit=limit, agent=agent, channel=channel)
        async with session.connect("tools") as link:
            stub = tools_pb2_grpc.ToolServiceStub(link.channel)
            reply = await stub.SearchTools(request, metadata=link.metadata, timeout=_SEARCH_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            show_found(reply.tools, output)

    invoke(work, data, as_json=as_json)


@app.command()
def reload(data: DataOption = None, as_json: JsonOption = False) -> None:
    """Ask every source of tools anew: definitions and MCP servers. What cannot be read stays as it was."""

    async def work(session: Session, output: Output) -> ExitCode | None:
        async with session.connect("tools") as link:
            stub = tools_pb2_grpc.ToolServiceStub(link.channel)
            request = tools_pb2.ReloadToolsRequest(request_id=new_id())
            reply = await stub.ReloadTools(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            for word, names in (("added", reply.added), ("removed", reply.removed)):
                output.line(f"{word}: {', '.join(names) or 'none'}")
            for failure in reply.failed:
                output.prose(failure, "red")
        return ExitCode.FAILED if reply.failed else None

    invoke(work, data, as_json=as_json)


@app.command()
def enable(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Enable a tool for the organisation. Takes effect within a second."""
    _set_state(name, data, enabled=True, as_json=as_json)


@app.command()
def disable(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Disable a tool for the organisation: it is not run any more, and within a second not offered to models."""
    _set_state(name, data, enabled=False, as_json=as_json)


def _set_state(name: str, data: Path | None, *, enabled: bool, as_json: bool) -> NoReturn:
    async def work(session: Session, output: Output) -> None:
        async with session.connect("settings") as link:
            stub = settings_pb2_grpc.SettingsServiceStub(link.channel)
            request = settings_pb2.SetToolStateRequest(name=name, enabled=enabled, request_id=new_id())
            reply = await stub.SetToolState(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"{reply.tool.name} is {'enabled' if reply.tool.enabled else 'disabled'}.")

    invoke(work, data, as_json=as_json)
