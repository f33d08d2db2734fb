"""`nexus runs`: what was asked and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output, as_dict
from mesh.cli.printable import one_line
from mesh.cli.run_source_grpc import GrpcRunSource, cancel_run, past_events
from mesh.cli.run_views import artifact_line, cost
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import counted, enum_word, when
from protos.gen.nexus.agent.v1 import agent_pb2, agent_pb2_grpc
from shared.ids import new_id

app = typer.Typer(no_args_is_help=True, add_completion=False)
RunArgument = Annotated[str, typer.Argument(help="The run's id.", metavar="RUN_ID")]
_COLUMNS = ("run", "status", "accepted", "question")
_EVENT_COLUMNS = ("#", "time", "event", "content")
_QUESTION_WIDTH = 60
_CONTENT_WIDTH = 100


@app.callback()
def runs() -> None:
    """The runs."""


@app.command("list")
def list_runs(
    conversation: Annotated[str, typer.Option("--conversation", help="Only runs of this conversation.")] = "",
    limit: Annotated[int, typer.Option("--limit", min=1, max=200, help="Most runs to list.")] = 50,
    page: Annotated[str, typer.Option("--page", help="Token of the page, from the page before.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the organisation's runs, newest first."""

    async def work(session: Session, output: Output) -> None:
        request = agent_pb2.ListRunsRequest(page_size=limit, page_token=page, conversation_id=conversation)
        async with session.connect("orchestrator") as link:
            stub = agent_pb2_grpc.AgentServiceStub(link.channel)
            reply = await stub.ListRuns(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        if output.as_json:
            output.message(reply)
            return
        empty = "No runs of this conversation." if conversation else "No runs yet. `nexus ask` makes one."
        output.table(_COLUMNS, [_row(run) for run in reply.runs], empty)
        if reply.next_page_token:
            output.note(f"More: --page {reply.next_page_token}")

    invoke(work, data, as_json=as_json)


@app.command()
def show(
    run_id: RunArgument,
    events: Annotated[bool, typer.Option("--events", help="Show its events too.")] = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one run. With --events, its event log so far."""

    async def work(session: Session, output: Output) -> None:
        async with session.connect("orchestrator") as link:
            stub = agent_pb2_grpc.AgentServiceStub(link.channel)
            request = agent_pb2.GetRunRequest(run_id=run_id)
            reply = await stub.GetRun(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
        log = await past_events(GrpcRunSource(session, agent_pb2.QueryAgentRequest()), reply.run) if events else []
        if output.as_json:
            content = as_dict(reply) | ({"events": [as_dict(event) for event in log]} if events else {})
            output.json_value(content)
            return
        _show_run(reply.run, output)
        if events:
            output.table(_EVENT_COLUMNS, [_event_row(event) for event in log], "It has no events.")

    invoke(work, data, as_json=as_json)


@app.command()
def cancel(run_id: RunArgument, data: DataOption = None, as_json: JsonOption = False) -> None:
    """Cancel a run. Cancelling one that has ended changes nothing."""

    async def work(session: Session, output: Output) -> None:
        run = await cancel_run(session, run_id, new_id())
        if output.as_json:
            output.message(agent_pb2.CancelRunResponse(run=run))
        else:
            output.line(f"{run.run_id} is {_status(run)}.")

    invoke(work, data, as_json=as_json)


def _status(run: agent_pb2.Run) -> str:
    return enum_word(agent_pb2.RunStatus.DESCRIPTOR, run.status)


def _row(run: agent_pb2.Run) -> tuple[str, ...]:
    return (run.run_id, _status(run), when(run.create_time), one_line(run.question, _QUESTION_WIDTH))


def _show_run(run: agent_pb2.Run, output: Output) -> None:
    facts = {
        "run": run.run_id,
        "status": _status(run),
        "conversation": run.conversation_id,
        "user": run.user_id,
        "model": run.model,
        "accepted": when(run.create_time),
        "started": when(run.start_time),
        "ended": when(run.end_time),
        "usage": _usage(run.usage),
        "failure": f"{run.failure.message} [{run.failure.reason}]" if run.failure.reason else "",
        "question": run.question,
    }
    output.table(("", ""), [(name, value) for name, value in facts.items() if value], "")
    for call in run.tool_calls:
        mark = "\u2713" if call.ok else "\u2717"
        output.line(f"{mark} {call.tool} {one_line(call.arguments_json, _CONTENT_WIDTH)}")
        output.line(f"  {one_line(call.summary, _CONTENT_WIDTH)}")
        for artifact in call.artifacts:
            output.line(f"  {artifact_line(artifact)}")
    if run.answer:
        output.line(f"\n{run.answer}")


def _usage(usage: agent_pb2.RunUsage) -> str:
    tokens = f"{usage.input_tokens} + {usage.output_tokens} tokens"
    calls = (counted(usage.model_calls, "model call"), counted(usage.tool_calls, "tool call"))
    return ", ".join(part for part in (tokens, *calls, cost(usage)) if part)


def _event_row(event: agent_pb2.RunEvent) -> tuple[str, ...]:
    kind = event.WhichOneof("payload") or ""
    content = as_dict(getattr(event, kind)) if kind else {}
    text = ", ".join(f"{name}={value}" for name, value in content.items() if value not in ("", None))
    return (str(event.sequence), when(event.create_time), kind, one_line(text, _CONTENT_WIDTH))
