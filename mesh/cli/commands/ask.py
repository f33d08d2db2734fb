"""`nexus ask`: a question, its events, its answer."""

from __future__ import annotations

from typing import Annotated

import typer

from mesh.cli.ask_question import Asking
from mesh.cli.exit_codes import ExitCode
from mesh.cli.failures import finish_async
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output
from mesh.cli.question import read_question
from mesh.cli.routing_options import (
    CacheOption,
    DataClassOption,
    MaxCostOption,
    ResidencyOption,
    TierOption,
    routing_of,
)
from mesh.cli.session import open_session
from protos.gen.nexus.agent.v1 import agent_pb2

app = typer.Typer(add_completion=False)


@app.command()
def ask(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.", metavar="QUESTION")],
    model: Annotated[str, typer.Option("--model", help="provider/model; default: the organisation's.")] = "",
    conversation: Annotated[str, typer.Option("--conversation", help="Id of the conversation to continue.")] = "",
    tier: TierOption = "",
    data_class: DataClassOption = None,
    residency: ResidencyOption = None,
    max_cost_usd: MaxCostOption = None,
    cache: CacheOption = False,
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ask a question and follow the answer. Ctrl-C cancels the run.

    The answer goes to standard output, everything else to standard error; --json prints every event as a line of JSON.
    The options on routing hold for every model call of the run; `nexus route explain` takes them too, but for --cache.
    """

    async def work() -> ExitCode:
        query = agent_pb2.QueryAgentRequest(
            question=read_question(question),
            model=model,
            conversation_id=conversation,
            routing=routing_of(tier, data_class, residency, max_cost_usd, cached=cache),
        )
        return await Asking(open_session(data), query, Output(as_json=as_json)).run_until_interrupted()

    finish_async(work, as_json=as_json)
