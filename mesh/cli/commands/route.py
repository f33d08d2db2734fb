"""`nexus route`: why a model was chosen, and the proof of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from mesh.cli.commands.route_replay import replay, report
from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.question import read_question
from mesh.cli.route_views import show_attempts, show_decision, show_listed, show_verification
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from protos.gen.nexus.router.v1 import contract_pb2, decision_pb2, decision_pb2_grpc, router_pb2

app = typer.Typer(no_args_is_help=True, add_completion=False)
DecisionArgument = Annotated[str, typer.Argument(help="The decision's id.", metavar="DECISION_ID")]
_MICRO = 1_000_000


class DataClassWord(StrEnum):
    """How sensitive a question is."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


@app.callback()
def route() -> None:
    """Decisions of the router: why a model was chosen, and why each other was not."""


@app.command()
def explain(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.")],
    model: Annotated[str, typer.Option("--model", help="provider/model, provider/, or auto.")] = "",
    tier: Annotated[str, typer.Option("--tier", help="fast, balanced, deep, or another tier of the rules.")] = "",
    data_class: Annotated[DataClassWord | None, typer.Option("--data-class", help="How sensitive it is.")] = None,
    residency: Annotated[list[str] | None, typer.Option("--residency", help="Region; repeat for more.")] = None,
    max_cost_usd: Annotated[float | None, typer.Option("--max-cost-usd", min=0, help="US dollars.")] = None,
    needs_tools: Annotated[bool, typer.Option("--needs-tools", help="Only models that call tools.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how a question would be routed: the choice, the scores, the removed models. Calls nobody."""

    async def work(session: Session, output: Output) -> None:
        options = router_pb2.RoutingOptions(tier=tier, residency=residency or [])
        if data_class is not None:
            options.data_class = contract_pb2.DataClass.Value(f"DATA_CLASS_{data_class.name}")
        if max_cost_usd is not None:
            options.max_cost_micro_usd = round(max_cost_usd * _MICRO)
        request = router_pb2.ChatCompletionRequest(
            model=model,
            messages=[_said(read_question(question))],
            tools=[router_pb2.ToolDefinition(name="any_tool")] if needs_tools else [],
            routing=options,
        )
        async with session.connect("router") as link:
            stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
            explain_request = decision_pb2.ExplainRouteRequest(request=request)
            reply = await stub.ExplainRoute(explain_request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            show_decision(reply.decision, output)

    invoke(work, data, as_json=as_json)


@app.command("list")
def list_decisions(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most decisions to list.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the organisation's decisions, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = decision_pb2.ListDecisionsRequest(page_size=limit, page_token=page)
        async with session.connect("router") as link:
            stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
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


@app.command()
def verify(decision_id: DecisionArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Compute a decision again from what was stored, and compare every step. Fails when something differs."""

    async def work(session: Session, output: Output) -> ExitCode:
        async with session.connect("router") as link:
            stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
            request = decision_pb2.VerifyDecisionRequest(decision_id=decision_id)
            reply = await stub.VerifyDecision(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            show_verification(reply, output)
        return ExitCode.OK if reply.valid else ExitCode.FAILED

    invoke(work, data, as_json=as_json)


def _said(question: str) -> router_pb2.ChatMessage:
    return router_pb2.ChatMessage(role=router_pb2.ROLE_USER, content=[router_pb2.ContentPart(text=question)])


app.command()(report)
app.command()(replay)
