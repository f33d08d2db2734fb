"""`nexus usage`: what was used of each model, and what it cost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.money_and_time import cost_in_all, point_in_time
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import counted
from protos.gen.nexus.router.v1 import ledger_pb2, ledger_pb2_grpc

app = typer.Typer(add_completion=False)
_COLUMNS = ("model", "attempts", "succeeded", "tokens in", "cached", "tokens out", "reasoning", "cost")


@app.command()
def usage(
    since: Annotated[
        str, typer.Option("--since", help="From when on: 7d, 24h, a day or a time. Default: the month.")
    ] = "",
    until: Annotated[str, typer.Option("--until", help="Until when. Default: now.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the organisation used of each model, and what it cost. Days and months are those of UTC."""

    async def work(session: Session, output: Output) -> None:
        request, now = ledger_pb2.SummarizeUsageRequest(), datetime.now(UTC)
        if since:
            request.start_time.FromDatetime(point_in_time(since, now))
        if until:
            request.end_time.FromDatetime(point_in_time(until, now))
        async with session.connect("router") as link:
            stub = ledger_pb2_grpc.LedgerServiceStub(link.channel)
            reply = await stub.SummarizeUsage(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        output.table(_COLUMNS, [_row(model) for model in reply.models], "Nothing was used in that time.")
        unknown = sum(model.cost_unknown for model in reply.models)
        if len(reply.models) > 1:
            cost = sum(model.cost_micro_usd for model in reply.models)
            attempts = sum(model.attempts for model in reply.models)
            output.line(f"\nIn all: {cost_in_all(cost, attempts - unknown, unknown)}")
        if unknown:
            said = (
                f"What {counted(unknown, 'attempt')} cost is unknown: the contract has no price. docs/pricing.md helps."
            )
            output.note(said, "yellow")
        if estimated := sum(model.estimated for model in reply.models):
            attempts = counted(estimated, "attempt")
            output.note(f"The tokens of {attempts} are estimated: the provider did not say.", "yellow")

    invoke(work, data, as_json=as_json)


def _row(model: ledger_pb2.ModelUsage) -> tuple[str, ...]:
    numbers = (
        model.attempts,
        model.succeeded,
        model.input_tokens,
        model.cached_input_tokens,
        model.output_tokens,
        model.reasoning_tokens,
    )
    cost = cost_in_all(model.cost_micro_usd, model.attempts - model.cost_unknown, model.cost_unknown)
    return (model.model, *(f"{number:,}" for number in numbers), cost)
