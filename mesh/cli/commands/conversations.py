"""`nexus conversations`: what was said."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import enum_word, when
from protos.gen.nexus.agent.v1 import conversation_pb2, conversation_pb2_grpc
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
ConversationArgument = Annotated[str, typer.Argument(help="The conversation's id.", metavar="CONVERSATION_ID")]
_COLUMNS = ("conversation", "last message", "title")


@app.callback()
def conversations() -> None:
    """The caller's conversations."""


@app.command("list")
def list_conversations(
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="Most to list.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List your conversations, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = conversation_pb2.ListConversationsRequest(page_size=limit, page_token=page)
        async with session.connect("orchestrator") as link:
            stub = conversation_pb2_grpc.ConversationServiceStub(link.channel)
            reply = await stub.ListConversations(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        rows = [(c.conversation_id, when(c.update_time), c.title) for c in reply.conversations]
        output.table(_COLUMNS, rows, "No conversations yet. `nexus ask` starts one.")
        if reply.next_page_token:
            output.note(f"More: --page {reply.next_page_token}")

    invoke(work, data, as_json=as_json)


@app.command()
def show(conversation_id: ConversationArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Show the newest messages of a conversation, oldest first."""

    async def work(session: Session, output: Output) -> None:
        request = conversation_pb2.GetConversationRequest(conversation_id=conversation_id)
        async with session.connect("orchestrator") as link:
            stub = conversation_pb2_grpc.ConversationServiceStub(link.channel)
            reply = await stub.GetConversation(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        output.line(f"{reply.conversation.title}  [{reply.conversation.conversation_id}]", "bold")
        for message in reply.messages:
            role = enum_word(conversation_pb2.MessageRole.DESCRIPTOR, message.role)
            output.line(f"\n{role}, {when(message.create_time)}", "dim")
            output.line(message.text)

    invoke(work, data, as_json=as_json)


@app.command()
def delete(conversation_id: ConversationArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Delete a conversation with its messages, runs and events. There is no way back."""

    async def work(session: Session, output: Output) -> None:
        request = conversation_pb2.DeleteConversationRequest(conversation_id=conversation_id, request_id=new_id())
        async with session.connect("orchestrator") as link:
            stub = conversation_pb2_grpc.ConversationServiceStub(link.channel)
            await stub.DeleteConversation(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.json_value({"deleted": conversation_id})
        else:
            output.line(f"Deleted {conversation_id}.")

    invoke(work, data, as_json=as_json)
