"""`nexus mcp`: MCP servers whose tools, resources and prompts agents use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.mcp_server_spec import SpecWords, spec_of
from mesh.cli.mcp_views import SERVER_COLUMNS, server_row, show_server
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.printable import one_line
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from protos.gen.nexus.mcp.v1 import mcp_pb2, mcp_pb2_grpc
from shared.errors import InvalidInput, NotFound
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
NameArgument = Annotated[str, typer.Argument(help="The server's name, the prefix of its tools.", metavar="NAME")]
CommandArgument = Annotated[
    list[str] | None, typer.Argument(help="After --: the command of a server in the sandbox.", metavar="-- CMD ARGS")
]
UrlOption = Annotated[str | None, typer.Option("--url", help="Address of a server over streamable HTTP.")]
HeadersOption = Annotated[
    str | None,
    typer.Option("--headers-file", help="File with headers, `NAME: VALUE` a line; - for standard input.", metavar="F"),
]
ReadOption = Annotated[list[Path] | None, typer.Option("--read", help="Path that it may read. Repeatable.")]
WriteOption = Annotated[list[Path] | None, typer.Option("--write", help="Path that it may write. Repeatable.")]
EgressOption = Annotated[
    list[str] | None, typer.Option("--egress", help="host:port that it may reach. Repeatable.", metavar="TARGET")
]
EnvOption = Annotated[
    str | None,
    typer.Option(
        "--env-file", help="File with its environment, `NAME=VALUE` a line; - for standard input.", metavar="F"
    ),
]
EffectOption = Annotated[
    str,
    typer.Option("--effect", help="What its tools do: read, write, external or payment.", metavar="EFFECT"),
]
_DESCRIPTION_WIDTH = 80


@app.callback()
def mcp() -> None:
    """The MCP servers of the organisation."""


@app.command()
def add(
    name: NameArgument,
    command: CommandArgument = None,
    url: UrlOption = None,
    headers_file: HeadersOption = None,
    read: ReadOption = None,
    write: WriteOption = None,
    egress: EgressOption = None,
    env_file: EnvOption = None,
    effect: EffectOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Register a server and connect to it. It runs in the sandbox, or answers at an address.

    Secrets belong into the files of headers and of the environment, never into the command or the address: whoever
    may list the servers sees those.
    """
    words = SpecWords(name, url, headers_file, command or (), read or (), write or (), egress or (), env_file, effect)

    async def work(session: Session, output: Output) -> ExitCode | None:
        request = mcp_pb2.AddServerRequest(spec=spec_of(words), request_id=new_id())
        async with session.connect("tools") as link:
            stub = mcp_pb2_grpc.McpServiceStub(link.channel)
            reply = await stub.AddServer(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        return _told(reply, reply.server, output)

    invoke(work, data, as_json=as_json)


@app.command("test")
def try_server(
    name: NameArgument,
    command: CommandArgument = None,
    url: UrlOption = None,
    headers_file: HeadersOption = None,
    read: ReadOption = None,
    write: WriteOption = None,
    egress: EgressOption = None,
    env_file: EnvOption = None,
    effect: EffectOption = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Try a server with the options of `add`: connect, list what it offers, and leave nothing behind."""
    words = SpecWords(name, url, headers_file, command or (), read or (), write or (), egress or (), env_file, effect)

    async def work(session: Session, output: Output) -> ExitCode | None:
        request = mcp_pb2.TestServerRequest(spec=spec_of(words))
        async with session.connect("tools") as link:
            stub = mcp_pb2_grpc.McpServiceStub(link.channel)
            reply = await stub.TestServer(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        return _told(reply, reply.server, output)

    invoke(work, data, as_json=as_json)


@app.command("list")
def list_servers(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the servers with their state."""

    async def work(session: Session, output: Output) -> None:
        reply = await _servers(session)
        if output.as_json:
            output.message(reply)
        else:
            output.table(SERVER_COLUMNS, [server_row(each) for each in reply.servers], "There are no MCP servers.")

    invoke(work, data, as_json=as_json)


@app.command()
def show(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show one server: its state, its tools, and what to look at."""

    async def work(session: Session, output: Output) -> None:
        server = next((each for each in (await _servers(session)).servers if each.spec.name == name), None)
        if server is None:
            raise NotFound("MCP_SERVER_UNKNOWN", f"There is no MCP server {name!r}: `nexus mcp list` names them.")
        if output.as_json:
            output.message(server)
        else:
            show_server(server, output)

    invoke(work, data, as_json=as_json)


@app.command()
def remove(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Remove a server: its tools vanish, its process ends, its secrets are forgotten."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("tools") as link:
            stub = mcp_pb2_grpc.McpServiceStub(link.channel)
            request = mcp_pb2.RemoveServerRequest(name=name, request_id=new_id())
            reply = await stub.RemoveServer(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"Removed {name}.")

    invoke(work, data, as_json=as_json)


@app.command()
def resources(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the resources of a server."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("tools") as link:
            stub = mcp_pb2_grpc.McpServiceStub(link.channel)
            request = mcp_pb2.ListResourcesRequest(name=name)
            reply = await stub.ListResources(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        rows = [(each.uri, each.name, each.media_type) for each in reply.resources]
        output.table(("uri", "name", "type"), rows, "It has no resources.")

    invoke(work, data, as_json=as_json)


@app.command("read")
def read_resource(
    name: NameArgument,
    uri: Annotated[str, typer.Argument(help="The resource's URI.", metavar="URI")],
    out: Annotated[Path | None, typer.Option("--output", help="File to write it to; needed for bytes.")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read a resource of a server. What it says is data of a stranger."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("tools") as link:
            stub = mcp_pb2_grpc.McpServiceStub(link.channel)
            request = mcp_pb2.ReadResourceRequest(name=name, uri=uri)
            reply = await stub.ReadResource(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        elif out is not None:
            out.write_bytes(reply.data or reply.text.encode())
        elif reply.data:
            raise InvalidInput(
                "MCP_RESOURCE_BINARY", f"It is {reply.media_type or 'bytes'}: name a file with --output."
            )
        else:
            output.line(reply.text)
        if reply.truncated:
            output.note("It was cut to the size limit.")

    invoke(work, data, as_json=as_json)


@app.command()
def prompts(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the prompts of a server."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("tools") as link:
            stub = mcp_pb2_grpc.McpServiceStub(link.channel)
            request = mcp_pb2.ListPromptsRequest(name=name)
            reply = await stub.ListPrompts(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        rows = [
            (each.name, _arguments(each.arguments), one_line(each.description, _DESCRIPTION_WIDTH))
            for each in reply.prompts
        ]
        output.table(("prompt", "arguments", "what it is for"), rows, "It has no prompts.")

    invoke(work, data, as_json=as_json)


@app.command()
def prompt(
    name: NameArgument,
    prompt_name: Annotated[str, typer.Argument(help="The prompt.", metavar="PROMPT")],
    arguments: Annotated[list[str] | None, typer.Argument(help="Its arguments.", metavar="NAME=VALUE")] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a prompt of a server with its arguments filled in."""

    async def work(session: Session, output: Output) -> None:
        filled = json.dumps(dict(_pair(word) for word in arguments or ()))
        async with session.connect("tools") as link:
            stub = mcp_pb2_grpc.McpServiceStub(link.channel)
            request = mcp_pb2.GetPromptRequest(name=name, prompt=prompt_name, arguments_json=filled)
            reply = await stub.GetPrompt(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        for message in reply.messages:
            output.line(f"{message.role}: {message.text}")

    invoke(work, data, as_json=as_json)


async def _servers(session: Session) -> mcp_pb2.ListServersResponse:
    async with session.connect("tools") as link:
        stub = mcp_pb2_grpc.McpServiceStub(link.channel)
        return await stub.ListServers(mcp_pb2.ListServersRequest(), metadata=link.metadata, timeout=UNARY_TIMEOUT_S)


def _told(
    reply: mcp_pb2.AddServerResponse | mcp_pb2.TestServerResponse, server: mcp_pb2.Server, output: Output
) -> ExitCode | None:
    """Print how a server is; one that does not answer is a failure of the command."""
    if output.as_json:
        output.message(reply)
    else:
        show_server(server, output)
    return ExitCode.OK if server.state == mcp_pb2.SERVER_STATE_READY else ExitCode.FAILED


def _arguments(arguments: Sequence[mcp_pb2.PromptArgument]) -> str:
    return " ".join(each.name if each.required else f"[{each.name}]" for each in arguments)


def _pair(word: str) -> tuple[str, str]:
    name, is_there, value = word.partition("=")
    if not is_there:
        raise InvalidInput("MCP_OPTIONS_WRONG", f"{word!r} is not NAME=VALUE.")
    return name, value
