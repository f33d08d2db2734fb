"""What keeps things that were configured from being used, as the router tells it: for people, with what to do."""

from __future__ import annotations

from dataclasses import dataclass

from mesh.cli.output import Output, as_dict
from mesh.cli.session import Session
from protos.gen.nexus.router.v1 import router_pb2, router_pb2_grpc
from shared.errors import NexusError

_TIMEOUT_S = 5.0
_FILE_REMEDY = (
    "Correct the file: it is read again within a second. Until then what was good since the router's start is in "
    "force; where nothing was, calls are refused."
)
_KEY_REMEDY = "Set it right, then `nexus down` and `nexus up`: the router gets its environment at its start."


@dataclass(frozen=True, slots=True)
class Trouble:
    """One trouble. `broken` says that a file must be corrected; else something is merely passed over."""

    subject: str
    sentence: str
    remedy: str
    broken: bool = False


def troubles_of(reply: router_pb2.ListProvidersResponse) -> list[Trouble]:
    """Return the troubles in the router's answer, those of files first."""
    return [
        *(_of_file(each) for each in reply.configuration_problems),
        *(_of_thing(each) for each in reply.unusable),
    ]


def tell_troubles(reply: router_pb2.ListProvidersResponse, output: Output) -> None:
    """Tell each trouble in a line of its own, beside the results."""
    for trouble in troubles_of(reply):
        output.note(f"! {trouble.sentence} {trouble.remedy}", "yellow")


async def ask_for_troubles(session: Session, output: Output) -> router_pb2.ListProvidersResponse:
    """Return the router's answer. One that cannot be had is empty, and told: whoever asks has done its work already."""
    try:
        async with session.connect("router") as link:
            stub = router_pb2_grpc.RouterServiceStub(link.channel)
            return await stub.ListProviders(
                router_pb2.ListProvidersRequest(), metadata=link.metadata, timeout=_TIMEOUT_S
            )
    except NexusError as error:
        output.note(f"Whether the configuration is in force could not be asked: {error.message}", "yellow")
        return router_pb2.ListProvidersResponse()


def troubles_json(reply: router_pb2.ListProvidersResponse) -> dict[str, object]:
    """Return the troubles for programs, in the names of the contract."""
    return {
        "configuration_problems": [as_dict(each) for each in reply.configuration_problems],
        "unusable": [as_dict(each) for each in reply.unusable],
    }


def _of_file(problem: router_pb2.ConfigurationProblem) -> Trouble:
    place = f"{problem.file} line {problem.line}" if problem.line else problem.file
    return Trouble(problem.file, f"{place}: {problem.message.rstrip('.')}.", _FILE_REMEDY, broken=True)


def _of_thing(unusable: router_pb2.Unusable) -> Trouble:
    is_contract = "/" in unusable.name
    remedy = f"`nexus contracts show {unusable.name}` has it." if is_contract else _KEY_REMEDY
    kind = "contract" if is_contract else "provider"
    return Trouble(f"{kind} {unusable.name}", f"{unusable.name} cannot be used. {unusable.reason}", remedy)
