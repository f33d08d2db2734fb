"""`nexus tools`: what an agent can do, and whether it may."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.printable import one_line
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import enum_word
from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
NameArgument = Annotated[str, typer.Argument(help="The tool's name.", metavar="NAME")]
_COLUMNS = ("tool", "state", "effect", "limit", "what it does")
_PAGE_SIZE = 500
_DESCRIPTION_WIDTH = 80


@app.callback()
def tools() -> None:
    """The tools."""


@app.command("list")
def list_tools(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the tools with their state for the organisation."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("tools") as link:
            stub = tools_pb2_grpc.ToolServiceStub(link.channel)
            reply = await stub.ListTools(
                tools_pb2.ListToolsRequest(page_size=_PAGE_SIZE), metadata=link.metadata, timeout=UNARY_TIMEOUT_S
            )
        if output.as_json:
            output.message(reply)
        else:
            output.table(_COLUMNS, [_row(tool) for tool in reply.tools], "There are no tools.")

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


def _row(tool: tools_pb2.Tool) -> tuple[str, ...]:
    return (
        tool.name,
        "enabled" if tool.enabled else "disabled",
        enum_word(tools_pb2.SideEffect.DESCRIPTOR, tool.side_effect),
        f"{tool.timeout.ToMilliseconds() / 1000:g} s",
        one_line(tool.description, _DESCRIPTION_WIDTH),
    )
