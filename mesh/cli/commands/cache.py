"""`nexus cache`: the router's cache of answers."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from protos.gen.nexus.router.v1 import ledger_pb2, ledger_pb2_grpc
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
_AGE = re.compile(r"(\d{1,9})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_MOST = timedelta(days=36_500)


@app.callback()
def cache() -> None:
    """The cache of answers."""


def age_of(text: str) -> timedelta:
    """The time that `text` says, such as `90s`, `30m`, `12h` or `7d`.

    Raises:
        BadParameter: It says none.
    """
    match = _AGE.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter("an age is a number with s, m, h or d, such as 12h.")
    age = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if age > _MOST:
        raise typer.BadParameter("nothing is that old.")
    return age


@app.command()
def clear(
    model_prefix: Annotated[
        str, typer.Option("--model-prefix", help="Only answers of models whose provider/model starts so.")
    ] = "",
    older_than: Annotated[
        timedelta | None,
        typer.Option("--older-than", parser=age_of, metavar="<age>", help="Only older answers, for example 12h or 7d."),
    ] = None,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove cached answers of your organisation."""

    async def work(session: Session, output: Output) -> None:
        request = ledger_pb2.InvalidateCacheRequest(model_prefix=model_prefix, request_id=new_id())
        if older_than is not None:
            request.older_than.FromTimedelta(older_than)
        async with session.connect("router") as link:
            stub = ledger_pb2_grpc.LedgerServiceStub(link.channel)
            reply = await stub.InvalidateCache(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"{reply.removed} cached {'answer' if reply.removed == 1 else 'answers'} removed.")

    invoke(work, data, as_json=as_json)
