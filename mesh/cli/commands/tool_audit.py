"""`nexus tools audit`: what was refused, and what was done to the world."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import when
from protos.gen.nexus.tools.v1 import audit_pb2, audit_pb2_grpc

_COLUMNS = ("when", "tool", "user", "agent", "channel", "result", "decided by")


def audit(
    limit: Annotated[int, typer.Option("--limit", help="Most events to show.", min=1, max=500)] = 50,
    refused: Annotated[bool, typer.Option("--refused", help="Leave out calls that were let through.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show refused calls and calls with an effect, the newest first."""

    async def work(session: Session, output: Output) -> None:
        request = audit_pb2.ListAuditEventsRequest(page_size=limit, refused_only=refused)
        async with session.connect("tools") as link:
            stub = audit_pb2_grpc.AuditServiceStub(link.channel)
            reply = await stub.ListAuditEvents(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.table(_COLUMNS, [_row(event) for event in reply.events], "Nothing was refused or changed.")

    invoke(work, data, as_json=as_json)


def _row(event: audit_pb2.AuditEvent) -> tuple[str, ...]:
    return (
        when(event.create_time),
        event.tool,
        event.user_id,
        event.agent,
        event.channel,
        event.reason or "let through",
        ", ".join(event.policies),
    )
