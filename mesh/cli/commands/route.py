"""`nexus route`: why a model was chosen, and the proof of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mesh.cli.commands.route_explain import explain
from mesh.cli.commands.route_replay import replay, report
from mesh.cli.commands.route_verify import verify
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.route_views import show_attempts, show_decision, show_listed
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2, decision_pb2_grpc

app = typer.Typer(no_args_is_help=True, add_completion=False)
DecisionArgument = Annotated[str, typer.Argument(help="The decision's id.", metavar="DECISION_ID")]


class OperationWord(StrEnum):
    """What a decision is over."""

    CHAT = "chat"
    EMBED = "embed"
    ALL = "all"


@app.callback()
def route() -> None:
    """Decisions of the router: why a model was chosen, and why each other was not."""


@app.command("list")
def list_decisions(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most decisions to list.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    operation: Annotated[
        OperationWord, typer.Option("--operation", help="What was decided over.")
    ] = OperationWord.CHAT,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the organisation's decisions, newest first: those over chats, unless another operation is named."""

    async def work(session: Session, output: Output) -> None:
        request = decision_pb2.ListDecisionsRequest(page_size=limit, page_token=page)
        if operation is not OperationWord.ALL:
            request.operation = contract_pb2.Operation.Value(f"OPERATION_{operation.name}")
        async with session.connect("router") as link:
            stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
            reply = await stub.ListDecisions(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
            while reply.next_page_token and not reply.decisions:
                # The router looks at so many records at a time, and none of those was over this operation.
                request.page_token = reply.next_page_token
                reply = await stub.ListDecisions(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        show_listed(reply.decisions, output)
        if reply.next_page_token:
            output.note(f"More: --page {reply.next_page_token}")

    invoke(work, data, as_json=as_json)


@app.command()
def show(decision_id: DecisionArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show one decision, and the calls that carried it out."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("router") as link:
            stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
            request = decision_pb2.GetDecisionRequest(decision_id=decision_id)
            reply = await stub.GetDecision(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        show_decision(reply.decision, output)
        show_attempts(reply.attempts, output)

    invoke(work, data, as_json=as_json)


app.command()(explain)
app.command()(verify)
app.command()(report)
app.command()(replay)
