"""`nexus budgets`: what may still be spent."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.money_and_time import dollars
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import when
from protos.gen.nexus.router.v1 import ledger_pb2, ledger_pb2_grpc

app = typer.Typer(no_args_is_help=True, add_completion=False)
_COLUMNS = ("budget", "of", "limit", "spent", "reserved", "left", "starts anew")


@app.callback()
def budgets() -> None:
    """The budgets."""


@app.command("list")
def list_budgets(
    conversation: Annotated[str, typer.Option("--conversation", help="That conversation's budgets too.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the budgets that your calls count against, the tightest first. `config/limits.yaml` sets them."""

    async def work(session: Session, output: Output) -> None:
        request = ledger_pb2.ListBudgetsRequest(conversation_id=conversation)
        async with session.connect("router") as link:
            stub = ledger_pb2_grpc.LedgerServiceStub(link.channel)
            reply = await stub.ListBudgets(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            empty = "No budget is set: config/limits.yaml sets them."
            output.table(_COLUMNS, [_row(budget) for budget in reply.budgets], empty)
            if reply.config_error:
                output.note(f"The newest limits are not in force: {reply.config_error}", "yellow")

    invoke(work, data, as_json=as_json)


def _row(budget: ledger_pb2.Budget) -> tuple[str, ...]:
    left = budget.limit_micro_usd - budget.spent_micro_usd - budget.reserved_micro_usd
    return (
        f"{budget.scope}, {budget.period}",
        budget.subject,
        dollars(budget.limit_micro_usd),
        dollars(budget.spent_micro_usd),
        dollars(budget.reserved_micro_usd),
        dollars(left),
        when(budget.reset_time),
    )
