"""`nexus knowledge`: passages of text that the organisation knows."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.printable import one_line
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.text_passages import passages_of
from mesh.cli.wording import when
from protos.gen.nexus.knowledge.v1 import knowledge_pb2 as pb
from protos.gen.nexus.knowledge.v1 import knowledge_pb2_grpc
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
SourceArgument = Annotated[str, typer.Argument(help="The source's name.", metavar="SOURCE")]
_AT_ONCE = 16
_TEXT_WIDTH = 200


@app.callback()
def knowledge() -> None:
    """Passages of text that the organisation knows, and that agents search."""


@app.command()
def put(
    source: SourceArgument,
    file: Annotated[Path, typer.Argument(help="A plain text file in UTF-8, at most 4 MiB.", metavar="FILE")],
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put a text file: its paragraphs become the passages of SOURCE, in the place of those that it has."""

    async def work(session: Session, output: Output) -> None:
        passages = [pb.Passage(text=text) for text in passages_of(file)]
        reply = pb.PutPassagesResponse()
        new = 0
        async with session.connect("tools") as link:
            stub = knowledge_pb2_grpc.KnowledgeServiceStub(link.channel)
            with output.progress(f"{source} ...") as tell:
                for start in range(0, len(passages), _AT_ONCE):
                    request = pb.PutPassagesRequest(
                        source=source,
                        passages=passages[start : start + _AT_ONCE],
                        replace=start == 0,
                        request_id=new_id(),
                    )
                    reply = await stub.PutPassages(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
                    new += reply.new_passages
                    tell(f"{source}: {min(start + _AT_ONCE, len(passages))} of {len(passages)} passages")
        if output.as_json:
            output.json_value({"source": source, "passages": reply.source_passages, "new_passages": new})
        else:
            output.line(f"{source} has {reply.source_passages} passages.")

    invoke(work, data, as_json=as_json)


@app.command("list")
def list_sources(
    limit: Annotated[int, typer.Option("--limit", min=1, max=500, help="Most sources to list.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the sources by name."""

    async def work(session: Session, output: Output) -> None:
        request = pb.ListSourcesRequest(page_size=limit, page_token=page)
        async with session.connect("tools") as link:
            stub = knowledge_pb2_grpc.KnowledgeServiceStub(link.channel)
            reply = await stub.ListSources(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        rows = [(each.name, str(each.passages), when(each.update_time)) for each in reply.sources]
        output.table(("source", "passages", "put"), rows, "There is no knowledge. `nexus knowledge put` adds some.")
        if reply.next_page_token:
            output.note(f"More: --page {reply.next_page_token}")

    invoke(work, data, as_json=as_json)


@app.command()
def remove(source: SourceArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Remove a source with all its passages."""

    async def work(session: Session, output: Output) -> None:
        request = pb.RemoveSourceRequest(source=source, request_id=new_id())
        async with session.connect("tools") as link:
            stub = knowledge_pb2_grpc.KnowledgeServiceStub(link.channel)
            reply = await stub.RemoveSource(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
        elif reply.removed_passages:
            output.line(f"{source} is removed: {reply.removed_passages} passages.")
        else:
            output.line(f"There was no source {source}.")

    invoke(work, data, as_json=as_json)


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for, in words.", metavar="QUESTION")],
    limit: Annotated[int, typer.Option("--limit", min=1, max=20, help="Most passages.")] = 5,
    source: Annotated[str, typer.Option("--source", help="Only passages of this source.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find the passages that are nearest in meaning to a question."""

    async def work(session: Session, output: Output) -> None:
        request = pb.SearchPassagesRequest(query=query, limit=limit, source=source)
        async with session.connect("tools") as link:
            stub = knowledge_pb2_grpc.KnowledgeServiceStub(link.channel)
            reply = await stub.SearchPassages(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        rows = [
            (f"{found.score:.2f}", found.source, one_line(found.passage.text, _TEXT_WIDTH)) for found in reply.passages
        ]
        output.table(("score", "source", "passage"), rows, "Nothing was found.")

    invoke(work, data, as_json=as_json)
