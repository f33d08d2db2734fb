"""`nexus models`: what the router can call."""

from __future__ import annotations

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc

app = typer.Typer(no_args_is_help=True, add_completion=False)
_COLUMNS = ("model", "can", "context", "$ per M in", "$ per M out", "")
_MICRO = 1_000_000


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
        else:
            output.table(_COLUMNS, [_row(model) for model in reply.models], "No models are configured.")

    invoke(work, data, as_json=as_json)


def _row(model: router_pb2.Model) -> tuple[str, ...]:
    abilities = {"chat": model.chat, "tools": model.tool_calling, "embeddings": model.embeddings}
    return (
        model.name,
        ", ".join(name for name, able in abilities.items() if able),
        str(model.context_length or ""),
        f"{model.input_micro_usd_per_million / _MICRO:.2f}",
        f"{model.output_micro_usd_per_million / _MICRO:.2f}",
        "demonstration" if model.demonstration else "",
    )
