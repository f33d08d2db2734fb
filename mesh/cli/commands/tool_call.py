"""`nexus tools call`: runs a tool."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import Session
from mesh.cli.tool_views import show_result
from protos.gen.nexus.tools.v1 import tools_pb2, tools_pb2_grpc
from shared.errors import InvalidInput
from shared.ids import new_id

_LONGEST_S = 300.0
_MARGIN_S = 10.0


def call(
    name: Annotated[str, typer.Argument(help="The tool's name.", metavar="NAME")],
    arguments: Annotated[str, typer.Argument(help="Its arguments, one JSON object.", metavar="JSON")] = "{}",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what it would do, and do nothing.")] = False,
    timeout_s: Annotated[
        float | None,
        typer.Option("--timeout", help="Seconds that it may take; default: the tool's own limit.", min=0.001),
    ] = None,
    time_zone: Annotated[str, typer.Option("--time-zone", help="IANA zone for tools that speak of days.")] = "",
    request_id: Annotated[
        str, typer.Option("--request-id", help="Idempotency key: the same call under it happens once.")
    ] = "",
    conversation_id: Annotated[
        str,
        typer.Option("--conversation", help="Of this conversation: its variables and files stay between calls."),
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run a tool, as you, under your organisation's policy and limits. The exit code is 1 when the tool fails."""

    async def work(session: Session, output: Output) -> ExitCode | None:
        request = tools_pb2.ExecuteToolRequest(
            name=name,
            arguments_json=_checked(arguments),
            request_id=request_id or new_id(),
            time_zone=time_zone,
            dry_run=dry_run,
            conversation_id=conversation_id,
        )
        if timeout_s is not None:
            request.timeout.FromNanoseconds(round(timeout_s * 1e9))
        async with session.connect("tools") as link:
            stub = tools_pb2_grpc.ToolServiceStub(link.channel)
            deadline_s = min(timeout_s or _LONGEST_S, _LONGEST_S) + _MARGIN_S
            reply = await stub.ExecuteTool(request, metadata=link.metadata, timeout=deadline_s)
        if output.as_json:
            output.message(reply)
        else:
            show_result(reply.result, output)
        return None if reply.result.status == tools_pb2.TOOL_STATUS_OK else ExitCode.FAILED

    invoke(work, data, as_json=as_json)


def _checked(text: str) -> str:
    """Return `text` when it is a JSON object: what a shell does to quotes is better told before anything is asked."""
    try:
        found: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "ARGUMENTS_MALFORMED",
            f'The arguments are no JSON: {error}. Put them into single quotes: \'{{"name": "value"}}\'.',
        ) from error
    if not isinstance(found, dict):
        raise InvalidInput("ARGUMENTS_MALFORMED", 'The arguments must be one JSON object: \'{"name": "value"}\'.')
    return text
