"""Messages about MCP servers to domain and back. A secret's value goes in and never out."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from protos.gen.nexus.mcp.v1 import mcp_pb2
from tool_executor.domain.mcp_catalog import Prompt, Resource
from tool_executor.domain.mcp_server import (
    HttpTransport,
    Secret,
    ServerSpec,
    ServerState,
    ServerView,
    StdioTransport,
)
from tool_executor.domain.tool_definition import SideEffect

_STATES = {
    ServerState.CONNECTING: mcp_pb2.SERVER_STATE_CONNECTING,
    ServerState.READY: mcp_pb2.SERVER_STATE_READY,
    ServerState.FAILED: mcp_pb2.SERVER_STATE_FAILED,
}


def spec_from_proto(spec: mcp_pb2.ServerSpec) -> ServerSpec:
    """Return the server that `spec` describes."""
    effect = SideEffect(spec.default_side_effect) if spec.default_side_effect else None
    if spec.HasField("http"):
        headers = tuple(Secret(each.name, each.value) for each in spec.http.headers)
        return ServerSpec(spec.name, HttpTransport(spec.http.url, headers), effect)
    stdio = spec.stdio
    return ServerSpec(
        spec.name,
        StdioTransport(
            argv=tuple(stdio.argv),
            environment=tuple(Secret(each.name, each.value) for each in stdio.environment),
            read_only_paths=tuple(stdio.read_only_paths),
            writable_paths=tuple(stdio.writable_paths),
            egress=tuple(stdio.egress),
        ),
        effect,
    )


def server_to_proto(view: ServerView) -> mcp_pb2.Server:
    """Return `view` as a message, without the values of secrets."""
    server, catalog = view.server, view.catalog
    created = Timestamp()
    created.FromDatetime(server.created_at)
    return mcp_pb2.Server(
        spec=_spec(server.spec),
        state=_STATES[view.state],
        error=view.error,
        tools=[each.name for each in catalog.tools],
        resources=len(catalog.resources),
        prompts=len(catalog.prompts),
        implementation=catalog.implementation,
        owner=server.user_id,
        create_time=created,
        notes=catalog.notes,
    )


def resource_to_proto(resource: Resource) -> mcp_pb2.Resource:
    """Return `resource` as a message."""
    return mcp_pb2.Resource(
        uri=resource.uri, name=resource.name, description=resource.description, media_type=resource.media_type
    )


def prompt_to_proto(prompt: Prompt) -> mcp_pb2.Prompt:
    """Return `prompt` as a message."""
    return mcp_pb2.Prompt(
        name=prompt.name,
        description=prompt.description,
        arguments=[
            mcp_pb2.PromptArgument(name=each.name, description=each.description, required=each.required)
            for each in prompt.arguments
        ],
    )


def _spec(spec: ServerSpec) -> mcp_pb2.ServerSpec:
    names = [mcp_pb2.Secret(name=secret.name) for secret in spec.secrets]
    effect = spec.default_side_effect.value if spec.default_side_effect else ""
    transport = spec.transport
    if isinstance(transport, HttpTransport):
        http = mcp_pb2.HttpTransport(url=transport.url, headers=names)
        return mcp_pb2.ServerSpec(name=spec.name, http=http, default_side_effect=effect)
    stdio = mcp_pb2.StdioTransport(
        argv=transport.argv,
        environment=names,
        read_only_paths=transport.read_only_paths,
        writable_paths=transport.writable_paths,
        egress=transport.egress,
    )
    return mcp_pb2.ServerSpec(name=spec.name, stdio=stdio, default_side_effect=effect)
