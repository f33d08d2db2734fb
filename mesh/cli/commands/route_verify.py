"""`nexus route verify`: the proof of one decision, or of all records that are kept."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.cli.chain_views import show_chain, show_verification
from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Link, Session
from mesh.cli.wording import counted
from protos.gen.nexus.router.v1 import decision_pb2 as pb
from protos.gen.nexus.router.v1 import decision_pb2_grpc
from shared.errors import InvalidInput

_CHAIN_TIMEOUT_S = 6 * 3600.0
_HASH_DIGITS = 64


def verify(
    decision_id: Annotated[str, typer.Argument(help="The decision's id.", metavar="DECISION_ID")] = "",
    every: Annotated[bool, typer.Option("--all", help="Verify every kept record, oldest first.")] = False,
    expect_head: Annotated[
        str, typer.Option("--expect-head", help="A record's hash, noted earlier, that must be there; with --all.")
    ] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute a decision again from what was stored, and compare every step. Fails when something differs."""

    async def work(session: Session, output: Output) -> ExitCode:
        _check(decision_id, every=every, expect_head=expect_head)
        async with session.connect("router") as link:
            valid = await (_all(link, expect_head, output) if every else _one(link, decision_id, output))
        return ExitCode.OK if valid else ExitCode.FAILED

    invoke(work, data, as_json=as_json)


def _check(decision_id: str, *, every: bool, expect_head: str) -> None:
    if every == bool(decision_id):
        raise InvalidInput("VERIFY_WHAT", "Name one decision, or say --all.")
    if expect_head and not every:
        raise InvalidInput("VERIFY_WHAT", "--expect-head goes with --all.")
    if expect_head and (len(expect_head) != _HASH_DIGITS or expect_head.strip("0123456789abcdef")):
        raise InvalidInput(
            "HASH_INVALID", "--expect-head takes a record's hash: 64 hexadecimal digits in small letters."
        )


async def _one(link: Link, decision_id: str, output: Output) -> bool:
    stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
    request = pb.VerifyDecisionRequest(decision_id=decision_id)
    reply = await stub.VerifyDecision(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
    if output.as_json:
        output.message(reply)
    else:
        show_verification(reply, output)
    return reply.valid


async def _all(link: Link, expect_head: str, output: Output) -> bool:
    stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
    request = pb.VerifyChainRequest(expect_hash=expect_head)
    found = pb.ChainVerification()
    with output.progress("Verifying ...") as tell:
        async for event in stub.VerifyChain(request, metadata=link.metadata, timeout=_CHAIN_TIMEOUT_S):
            if event.WhichOneof("event") == "result":
                found = event.result
            else:
                tell(f"{counted(event.verified, 'record')} verified ...")
    if output.as_json:
        output.message(found)
    else:
        show_chain(found, output)
    return found.valid
