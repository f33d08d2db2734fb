"""`nexus artifacts`: files that runs, tools and people left."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.artifact_file import downloaded, free_path, upload_of
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output, as_dict
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import when
from protos.gen.nexus.artifacts.v1 import artifacts_pb2 as pb
from protos.gen.nexus.artifacts.v1 import artifacts_pb2_grpc
from shared.ids import new_id
from tool_executor.domain.artifact import size_words

app = typer.Typer(no_args_is_help=True, add_completion=False)
ArtifactArgument = Annotated[str, typer.Argument(help="The artifact's id.", metavar="ARTIFACT_ID")]
_COLUMNS = ("artifact", "name", "type", "size", "made by", "created")


@app.callback()
def artifacts() -> None:
    """Files that runs, tools and people left."""


@app.command("list")
def list_artifacts(
    run: Annotated[str, typer.Option("--run", help="Only those of this run.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most artifacts to list.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the organisation's artifacts, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListArtifactsRequest(run_id=run, page_size=limit, page_token=page)
        async with session.connect("tools") as link:
            stub = artifacts_pb2_grpc.ArtifactServiceStub(link.channel)
            reply = await stub.ListArtifacts(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        empty = "This run left no artifacts." if run else "There are no artifacts."
        output.table(_COLUMNS, [_row(artifact) for artifact in reply.artifacts], empty)
        if reply.next_page_token:
            output.note(f"More: --page {reply.next_page_token}")

    invoke(work, data, as_json=as_json)


@app.command()
def show(artifact_id: ArtifactArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show what is known of an artifact."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("tools") as link:
            stub = artifacts_pb2_grpc.ArtifactServiceStub(link.channel)
            request = pb.GetArtifactRequest(artifact_id=artifact_id)
            reply = await stub.GetArtifact(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.table(("", ""), [(name, value) for name, value in _facts(reply.artifact).items() if value], "")

    invoke(work, data, as_json=as_json)


@app.command()
def get(
    artifact_id: ArtifactArgument,
    output_path: Annotated[
        Path | None, typer.Option("--output", "-o", help="File or folder to write to; default: its name, here.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Download an artifact. A file that is there is left alone without --force; nothing half is left behind."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("tools") as link:
            stub = artifacts_pb2_grpc.ArtifactServiceStub(link.channel)
            request = pb.GetArtifactRequest(artifact_id=artifact_id)
            artifact = (await stub.GetArtifact(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)).artifact
            path = free_path(output_path, artifact.name, force=force)

            async def piece(offset: int, length: int) -> bytes:
                request = pb.ReadArtifactRequest(artifact_id=artifact_id, offset=offset, length=length)
                return (await stub.ReadArtifact(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)).data

            with output.progress(f"{artifact.name} ...") as tell:
                await downloaded(artifact, path, piece, tell, force=force)
        if output.as_json:
            output.json_value({"artifact": as_dict(artifact), "path": str(path)})
        else:
            output.line(f"{path}: {artifact.media_type}, {size_words(artifact.size_bytes)}.")

    invoke(work, data, as_json=as_json)


@app.command()
def put(
    file: Annotated[Path, typer.Argument(help="A file of at most 6 MiB.", metavar="FILE")],
    name: Annotated[str, typer.Option("--name", help="What to call it; default: the file's name.")] = "",
    media_type: Annotated[str, typer.Option("--media-type", help="Its media type; default: told from the name.")] = "",
    run: Annotated[str, typer.Option("--run", help="The run that it belongs to.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Store a file as an artifact."""

    async def work(session: Session, output: Output) -> None:
        request = pb.CreateArtifactRequest(
            name=name or file.name, media_type=media_type, data=upload_of(file), run_id=run, request_id=new_id()
        )
        async with session.connect("tools") as link:
            stub = artifacts_pb2_grpc.ArtifactServiceStub(link.channel)
            reply = await stub.CreateArtifact(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            made = reply.artifact
            output.line(f"{made.name}: {made.media_type}, {size_words(made.size_bytes)}, artifact {made.artifact_id}.")

    invoke(work, data, as_json=as_json)


@app.command()
def delete(artifact_id: ArtifactArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Delete an artifact."""

    async def work(session: Session, output: Output) -> None:
        request = pb.DeleteArtifactRequest(artifact_id=artifact_id, request_id=new_id())
        async with session.connect("tools") as link:
            stub = artifacts_pb2_grpc.ArtifactServiceStub(link.channel)
            reply = await stub.DeleteArtifact(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        else:
            output.line(f"{artifact_id} is deleted.")

    invoke(work, data, as_json=as_json)


def _row(artifact: pb.Artifact) -> tuple[str, ...]:
    return (
        artifact.artifact_id,
        artifact.name,
        artifact.media_type,
        size_words(artifact.size_bytes),
        artifact.tool or artifact.user_id,
        when(artifact.create_time),
    )


def _facts(artifact: pb.Artifact) -> dict[str, str]:
    return {
        "artifact": artifact.artifact_id,
        "name": artifact.name,
        "type": artifact.media_type,
        "size": f"{artifact.size_bytes} bytes",
        "sha-256": artifact.sha256,
        "tool": artifact.tool,
        "run": artifact.run_id,
        "user": artifact.user_id,
        "created": when(artifact.create_time),
    }
