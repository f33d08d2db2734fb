"""`nexus ledger`: every attempt that was made, and what it cost."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.money_and_time import dollars
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import when
from protos.gen.nexus.router.v1 import decision_pb2, ledger_pb2, ledger_pb2_grpc

app = typer.Typer(no_args_is_help=True, add_completion=False)
_COLUMNS = ("#", "began", "model", "outcome", "tokens", "cost", "reserved", "decision")


@app.callback()
def ledger() -> None:
    """The ledger of attempts."""


@app.command("list")
def list_attempts(
    decision: Annotated[str, typer.Option("--decision", help="Only attempts of this decision.")] = "",
    oldest_first: Annotated[bool, typer.Option("--oldest-first", help="In the order of their beginning.")] = False,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most attempts to list.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the organisation's attempts to call a model, newest first: failed, aborted and hedged ones too."""

    async def work(session: Session, output: Output) -> None:
        request = ledger_pb2.ListLedgerAttemptsRequest(
            page_size=limit, page_token=page, decision_id=decision, newest_first=not oldest_first
        )
        async with session.connect("router") as link:
            stub = ledger_pb2_grpc.LedgerServiceStub(link.channel)
            reply = await stub.ListLedgerAttempts(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        none = f"No attempt was made for the decision {decision!r}." if decision else "No attempt was made yet."
        output.table(_COLUMNS, [_row(each) for each in reply.attempts], none)
        if reply.next_page_token:
            output.note(f"More: --page {reply.next_page_token}")

    invoke(work, data, as_json=as_json)


def _row(attempt: decision_pb2.LedgerAttempt) -> tuple[str, ...]:
    is_open = not attempt.HasField("end_time")
    how = attempt.outcome + (f" ({attempt.reason})" if attempt.reason else "")
    about = "~" if attempt.estimated else ""
    return (
        str(attempt.sequence),
        when(attempt.start_time),
        attempt.model,
        f"{how}, hedge" if attempt.hedge else how,
        "" if is_open else f"{about}{attempt.usage.input_tokens:,} + {about}{attempt.usage.output_tokens:,}",
        "" if is_open else "unknown" if attempt.cost_unknown else dollars(attempt.cost_micro_usd),
        "unknown" if attempt.price_version == "unknown" else dollars(attempt.reserved_micro_usd),
        attempt.decision_id,
    )
