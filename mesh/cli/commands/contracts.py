"""`nexus contracts`: what services promise, need and may see."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.contract_file import contract_in, contract_to_text
from mesh.cli.contract_views import CONTRACT_COLUMNS, changes, contract_row, show_contract
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import counted, when
from protos.gen.nexus.router.v1 import contract_pb2, contract_pb2_grpc
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
NameArgument = Annotated[str, typer.Argument(help="The contract, as provider/model.", metavar="NAME")]
FileArgument = Annotated[
    Path, typer.Argument(help="A YAML file with one contract; docs/contracts.md has its form.", metavar="FILE")
]


@app.callback()
def contracts() -> None:
    """The contracts of the services: what they promise, need and may see."""


@app.command("list")
def list_contracts(
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="Most contracts to list.")] = 100,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the contracts by name, with what was measured."""

    async def work(session: Session, output: Output) -> None:
        request = contract_pb2.ListContractsRequest(page_size=limit, page_token=page)
        async with session.connect("router") as link:
            stub = contract_pb2_grpc.RegistryServiceStub(link.channel)
            reply = await stub.ListContracts(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        rows = [contract_row(registered) for registered in reply.contracts]
        output.table(CONTRACT_COLUMNS, rows, "There are no contracts.")
        if reply.next_page_token:
            output.note(f"More: --page {reply.next_page_token}")

    invoke(work, data, as_json=as_json)


@app.command()
def show(
    name: NameArgument,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="Print it as a file for `register` and `update`.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one contract: what it promises, and beside it what was measured."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("router") as link:
            stub = contract_pb2_grpc.RegistryServiceStub(link.channel)
            request = contract_pb2.GetContractRequest(name=name)
            reply = await stub.GetContract(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        elif as_yaml:
            output.line(contract_to_text(reply.contract.contract).rstrip())
        else:
            show_contract(reply.contract, output)

    invoke(work, data, as_json=as_json)


@app.command()
def register(file: FileArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Register the contract in a file for your organisation. Its provider must be configured."""

    async def work(session: Session, output: Output) -> None:
        with contract_in(file) as contract:
            request = contract_pb2.RegisterContractRequest(contract=contract, request_id=new_id())
            async with session.connect("router") as link:
                stub = contract_pb2_grpc.RegistryServiceStub(link.channel)
                reply = await stub.RegisterContract(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"Registered {reply.contract.name}, version {reply.contract.version}.")

    invoke(work, data, as_json=as_json)


@app.command()
def update(file: FileArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Replace a registered contract by the one in a file, whose `version` is the one that it replaces."""

    async def work(session: Session, output: Output) -> None:
        with contract_in(file) as contract:
            request = contract_pb2.UpdateContractRequest(contract=contract, request_id=new_id())
            async with session.connect("router") as link:
                stub = contract_pb2_grpc.RegistryServiceStub(link.channel)
                reply = await stub.UpdateContract(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"{reply.contract.name} has version {reply.contract.version} now.")

    invoke(work, data, as_json=as_json)


@app.command()
def deregister(name: NameArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Remove a contract that your organisation registered. Calls in flight go on."""

    async def work(session: Session, output: Output) -> None:
        request = contract_pb2.DeregisterContractRequest(name=name, request_id=new_id())
        async with session.connect("router") as link:
            stub = contract_pb2_grpc.RegistryServiceStub(link.channel)
            reply = await stub.DeregisterContract(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"Removed {name}.")

    invoke(work, data, as_json=as_json)


@app.command()
def watch(
    after: Annotated[int, typer.Option("--after", min=0, help="Only what is newer than this version.")] = 0,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Follow the registry: a line for each contract that came, changed or went. Ends with Ctrl-C."""

    async def work(session: Session, output: Output) -> None:
        before: dict[str, contract_pb2.Contract] = {}
        async with session.connect("router") as link:
            stub = contract_pb2_grpc.RegistryServiceStub(link.channel)
            request = contract_pb2.WatchContractsRequest(after_version=after)
            async for reply in stub.WatchContracts(request, metadata=link.metadata):
                if output.as_json:
                    output.message(reply)
                    continue
                count = counted(len(reply.contracts), "contract")
                output.line(f"{when(reply.change_time)} version {reply.registry_version}: {count}")
                for change in changes(before, reply.contracts):
                    output.line(f"  {change}")
                before = {contract.name: contract for contract in reply.contracts}

    invoke(work, data, as_json=as_json)
