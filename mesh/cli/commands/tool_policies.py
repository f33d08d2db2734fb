"""`nexus tools policies`: which policies decide on tools, and what is wrong in their files."""

from __future__ import annotations

from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from protos.gen.nexus.tools.v1 import policy_pb2, policy_pb2_grpc

_COLUMNS = ("file", "state", "policies in force")


def policies(data: DataOption = None, as_json: JsonOption = False) -> None:
    """List the files of tool policies. Fails when one is wrong, and says on which line."""

    async def work(session: Session, output: Output) -> ExitCode | None:
        async with session.connect("tools") as link:
            stub = policy_pb2_grpc.PolicyServiceStub(link.channel)
            request = policy_pb2.ListPolicyFilesRequest()
            reply = await stub.ListPolicyFiles(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        wrong = [file for file in reply.files if file.problem]
        if output.as_json:
            output.message(reply)
        else:
            rows = [(file.name, "fail" if file.problem else "ok", ", ".join(file.policies)) for file in reply.files]
            output.table(_COLUMNS, rows, "There are no policies.")
            output.note(f"Policies for your organisation alone are in {reply.own_file}, beside the platform's file.")
            for file in wrong:
                output.prose(f"{file.name} {file.problem}", "red")
        return ExitCode.FAILED if wrong else None

    invoke(work, data, as_json=as_json)
