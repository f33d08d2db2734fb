"""Whether a model that somebody names is one that the router has."""

from __future__ import annotations

from mesh.cli.output import Output
from mesh.cli.session import Session
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from shared.errors import InvalidInput, NexusError

_TIMEOUT_S = 5.0


async def refuse_unknown_model(session: Session, name: str, output: Output) -> None:
    """Refuse a name that no chat model has. A router that cannot be asked is told, and refuses nothing.

    Raises:
        InvalidInput: reason MODEL_UNKNOWN, listing the chat models there are.
    """
    try:
        async with session.connect("router") as link:
            stub = router_pb2_grpc.RouterServiceStub(link.channel)
            reply = await stub.ListModels(router_pb2.ListModelsRequest(), metadata=link.metadata, timeout=_TIMEOUT_S)
    except NexusError as error:
        output.note(f"Whether there is a model {name!r} could not be asked: {error.message}", "yellow")
        return
    known = [model.name for model in reply.models if model.chat]
    if name not in known:
        listed = ", ".join(known) or "none"
        raise InvalidInput(
            "MODEL_UNKNOWN", f"There is no chat model {name!r}. Configured: {listed}. --force sets it all the same."
        )
