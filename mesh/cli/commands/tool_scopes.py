"""`nexus tools scope`: what agents and channels are narrowed to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from google.protobuf.field_mask_pb2 import FieldMask

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Link, Session
from protos.gen.nexus.settings.v1 import settings_pb2, settings_pb2_grpc
from shared.errors import NotFound
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
AgentOption = Annotated[str, typer.Option("--agent", help="The agent; default: every one.", metavar="NAME")]
ChannelOption = Annotated[str, typer.Option("--channel", help="The channel; default: every one.", metavar="NAME")]
_COLUMNS = ("agent", "channel", "may use")
_EVERY = "every"


@app.callback()
def scope() -> None:
    """What agents and channels are narrowed to. A scope never widens: a tool must be named by each that applies."""


@app.command("list")
def list_scopes(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the scopes of the organisation."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("settings") as link:
            config = await _config(link)
        _show(config, output)

    invoke(work, data, as_json=as_json)


@app.command("set")
def set_scope(
    tools: Annotated[
        list[str], typer.Argument(help="Names of tools, or patterns such as 'github_*'.", metavar="TOOL...")
    ],
    agent: AgentOption = "",
    channel: ChannelOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Narrow an agent, a channel, or an agent on a channel to these tools. Takes effect within a second."""
    _change(agent, channel, tools, data, as_json=as_json)


@app.command("clear")
def clear_scope(
    agent: AgentOption = "", channel: ChannelOption = "", data: DataOption = None, as_json: JsonOption = False
) -> None:
    """Remove the scope of exactly this agent and channel."""
    _change(agent, channel, None, data, as_json=as_json)


def _change(agent: str, channel: str, tools: Sequence[str] | None, data: Path | None, *, as_json: bool) -> NoReturn:
    """Put `tools` into the place of the scope of `agent` and `channel`, or nothing for None."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("settings") as link:
            config = await _config(link)
            kept = [each for each in config.tools.scopes if (each.agent, each.channel) != (agent, channel)]
            if tools is None and len(kept) == len(config.tools.scopes):
                raise NotFound("SCOPE_UNKNOWN", "There is no such scope. `nexus tools scope list` shows them.")
            if tools is not None:
                kept.append(settings_pb2.ToolScope(agent=agent, channel=channel, allowed=tools))
            wanted = settings_pb2.Config(tools=settings_pb2.ToolsConfig(scopes=kept), etag=config.etag)
            request = settings_pb2.UpdateConfigRequest(
                config=wanted, update_mask=FieldMask(paths=["tools.scopes"]), request_id=new_id()
            )
            stub = settings_pb2_grpc.SettingsServiceStub(link.channel)
            reply = await stub.UpdateConfig(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        _show(reply.config, output)

    invoke(work, data, as_json=as_json)


async def _config(link: Link) -> settings_pb2.Config:
    stub = settings_pb2_grpc.SettingsServiceStub(link.channel)
    reply = await stub.GetConfig(settings_pb2.GetConfigRequest(), metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
    return reply.config


def _show(config: settings_pb2.Config, output: Output) -> None:
    if output.as_json:
        output.message(settings_pb2.ToolsConfig(scopes=config.tools.scopes))
        return
    rows = [(each.agent or _EVERY, each.channel or _EVERY, ", ".join(each.allowed)) for each in config.tools.scopes]
    output.table(_COLUMNS, rows, "There are no scopes: agents and channels may use every tool that is enabled.")
