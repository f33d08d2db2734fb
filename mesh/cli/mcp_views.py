"""How MCP servers are shown to people."""

from __future__ import annotations

from mesh.cli.output import Output
from mesh.cli.printable import one_line
from mesh.cli.wording import counted, enum_word, when
from protos.gen.nexus.mcp.v1 import mcp_pb2

SERVER_COLUMNS = ("server", "state", "tools", "resources", "prompts", "reached by", "notes")
_REACHED_WIDTH = 60


def server_row(server: mcp_pb2.Server) -> tuple[object, ...]:
    """Return the cells of a server's line."""
    return (
        server.spec.name,
        state_of(server),
        len(server.tools),
        server.resources,
        server.prompts,
        one_line(_reached_by(server.spec), _REACHED_WIDTH),
        len(server.notes) or "",
    )


def state_of(server: mcp_pb2.Server) -> str:
    """Return the word for how a server is."""
    return enum_word(mcp_pb2.ServerState.DESCRIPTOR, server.state)


def show_server(server: mcp_pb2.Server, output: Output) -> None:
    """Show all that is known of a server."""
    spec = server.spec
    output.line(f"{spec.name}: {state_of(server)}")
    if server.error:
        output.prose(f"  {server.error}", "red")
    if server.implementation:
        output.line(f"  calls itself {server.implementation}")
    output.line(f"  reached by {_reached_by(spec)}")
    secrets = spec.http.headers if spec.HasField("http") else spec.stdio.environment
    if secrets:
        output.line(f"  with secrets {', '.join(secret.name for secret in secrets)}")
    for word, paths in (("reads", spec.stdio.read_only_paths), ("writes", spec.stdio.writable_paths)):
        if paths:
            output.line(f"  {word} {', '.join(paths)}")
    if spec.stdio.egress:
        output.line(f"  may reach {', '.join(spec.stdio.egress)}")
    if server.HasField("create_time") and server.owner:
        output.line(f"  registered by {server.owner}, {when(server.create_time)}")
    output.line(f"  {counted(server.resources, 'resource')}, {counted(server.prompts, 'prompt')}")
    for note in server.notes:
        output.prose(f"  look: {note}", "yellow")
    for tool in server.tools:
        output.line(f"  tool {tool}")


def _reached_by(spec: mcp_pb2.ServerSpec) -> str:
    return spec.http.url if spec.HasField("http") else " ".join(spec.stdio.argv)
