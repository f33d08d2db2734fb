"""`nexus models`: what the router can call."""

from __future__ import annotations

import typer

from mesh.cli.invocation import invoke
from mesh.cli.money_and_time import per_million
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc

app = typer.Typer(no_args_is_help=True, add_completion=False)
_COLUMNS = ("model", "can", "context", "$ per M in", "$ per M out", "")


@app.callback()
def models() -> None:
    """The models."""


@app.command("list")
def list_models(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the models: those of the fallback chain first, in its order."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("router") as link:
            stub = router_pb2_grpc.RouterServiceStub(link.channel)
            reply = await stub.ListModels(
                router_pb2.ListModelsRequest(), metadata=link.metadata, timeout=UNARY_TIMEOUT_S
            )
        if output.as_json:
            output.message(reply)
            return
        output.table(_COLUMNS, [_row(model) for model in reply.models], "No models are configured.")
        if any(model.price_unknown for model in reply.models):
            output.note(
                "A model whose price is unknown is not used where a budget or a cost limit applies: docs/pricing.md."
            )

    invoke(work, data, as_json=as_json)


def _rates(model: router_pb2.Model) -> tuple[int, int]:
    return model.input_micro_usd_per_million, model.output_micro_usd_per_million


def _row(model: router_pb2.Model) -> tuple[str, ...]:
    abilities = {"chat": model.chat, "tools": model.tool_calling, "embeddings": model.embeddings}
    return (
        model.name,
        ", ".join(name for name, able in abilities.items() if able),
        str(model.context_length or ""),
        *("unknown" if model.price_unknown else per_million(micro) for micro in _rates(model)),
        "demonstration" if model.demonstration else "",
    )
