"""`nexus providers`: the model providers as the router sees them."""

from __future__ import annotations

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import enum_word, key_remedy
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc

app = typer.Typer(no_args_is_help=True, add_completion=False)
_COLUMNS = ("provider", "type", "state", "base url", "models", "last error")


@app.callback()
def providers() -> None:
    """The model providers."""


@app.command("list")
def list_providers(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the providers with their state, and why the newest configuration was refused, if it was."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("router") as link:
            stub = router_pb2_grpc.RouterServiceStub(link.channel)
            reply = await stub.ListProviders(
                router_pb2.ListProvidersRequest(), metadata=link.metadata, timeout=UNARY_TIMEOUT_S
            )
        if output.as_json:
            output.message(reply)
            return
        rows = [
            (
                p.name,
                p.type,
                enum_word(router_pb2.ProviderState.DESCRIPTOR, p.state),
                p.base_url,
                " ".join(p.models),
                p.last_error_reason,
            )
            for p in reply.providers
        ]
        output.table(_COLUMNS, rows, "No providers are configured.")
        for provider in reply.providers:
            if provider.state == router_pb2.PROVIDER_STATE_NOT_CONFIGURED:
                output.note(f"{provider.name} has no key. {key_remedy(provider.name)}", "yellow")
        if reply.config_error:
            output.note(f"The newest configuration is not in force: {reply.config_error}", "yellow")

    invoke(work, data, as_json=as_json)
