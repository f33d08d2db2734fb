"""`nexus providers`: the model providers as the router sees them."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.live import Live

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.provider_views import providers_view
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.troubles import tell_troubles
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc

app = typer.Typer(no_args_is_help=True, add_completion=False)
WatchOption = Annotated[bool, typer.Option("--watch", help="Show it anew every second, until Ctrl-C.")]
_PERIOD_S = 1.0


@app.callback()
def providers() -> None:
    """The model providers."""


@app.command("list")
def list_providers(data: DataOption = None, as_json: JsonOption = False, watch: WatchOption = False) -> None:
    """List the providers with their state and what was measured, and why the newest configuration was refused."""

    async def work(session: Session, output: Output) -> None:
        if watch:
            await _watch(session, output)
        else:
            _show(await _listed(session), output)

    invoke(work, data, as_json=as_json)


async def _listed(session: Session) -> router_pb2.ListProvidersResponse:
    async with session.connect("router") as link:
        stub = router_pb2_grpc.RouterServiceStub(link.channel)
        return await stub.ListProviders(
            router_pb2.ListProvidersRequest(), metadata=link.metadata, timeout=UNARY_TIMEOUT_S
        )


async def _watch(session: Session, output: Output) -> None:
    """Shows the list again and again: in place on a terminal, one after the other elsewhere."""
    is_live = output.out.is_terminal and not output.as_json
    live = Live(console=output.out, auto_refresh=False) if is_live else None
    with live or nullcontext():
        while True:
            reply = await _listed(session)
            if live is None:
                _show(reply, output)
            else:
                live.update(providers_view(reply, datetime.now(UTC), output.out), refresh=True)
            await asyncio.sleep(_PERIOD_S)


def _show(reply: router_pb2.ListProvidersResponse, output: Output) -> None:
    if output.as_json:
        output.message(reply)
        return
    if reply.providers:
        output.out.print(providers_view(reply, datetime.now(UTC), output.out))
    else:
        output.note("No providers are configured.")
    tell_troubles(reply, output)
