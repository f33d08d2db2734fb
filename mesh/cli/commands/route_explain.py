"""`nexus route explain`: how a question would be routed, as `nexus ask` would send it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated

import typer

from mesh.cli.exit_codes import ExitCode
from mesh.cli.invocation import invoke
from mesh.cli.options import DataOption, JsonOption
from mesh.cli.output import Output, as_dict
from mesh.cli.question import read_question
from mesh.cli.route_views import show_decision
from mesh.cli.routing_options import DataClassOption, MaxCostOption, ResidencyOption, TierOption, routing_of
from mesh.cli.session import UNARY_TIMEOUT_S, Session
from mesh.cli.wording import counted
from protos.gen.nexus.agent.v1 import agent_pb2, agent_pb2_grpc
from protos.gen.nexus.router.v1 import decision_pb2, decision_pb2_grpc, router_pb2

_ANY_MODEL = "auto"


def explain(
    question: Annotated[str, typer.Argument(help="The question; - reads it from standard input.", metavar="QUESTION")],
    model: Annotated[str, typer.Option("--model", help="provider/model, provider/, or auto.")] = "",
    tier: TierOption = "",
    data_class: DataClassOption = None,
    residency: ResidencyOption = None,
    max_cost_usd: MaxCostOption = None,
    tools: Annotated[
        bool | None,
        typer.Option("--tools/--no-tools", help="A bare chat with or without a tool, not what `nexus ask` sends."),
    ] = None,
    conversation: Annotated[str, typer.Option("--conversation", help="The conversation that it continues.")] = "",
    data: DataOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how `nexus ask` would route a question: the choice, the scores, the removed models. Calls no model.

    Exit code 1 when no model can take it.
    """

    async def work(session: Session, output: Output) -> ExitCode:
        query = agent_pb2.QueryAgentRequest(
            question=read_question(question),
            model=model,
            conversation_id=conversation,
            routing=routing_of(tier, data_class, residency, max_cost_usd),
        )
        if tools is None:
            explained = await _as_asked(session, query)
        else:
            explained = _Explained(await _explained(session, _bare(query, with_tools=tools)), bare=True)
        if output.as_json:
            output.json_value(as_dict(explained.response) | {"guided": explained.guided, "refused": explained.refused})
        else:
            _show(explained, output)
        return ExitCode.OK if explained.response.decision.choice else ExitCode.FAILED

    invoke(work, data, as_json=as_json)


@dataclass(slots=True)
class _Explained:
    """What the router says of a request.

    `refused` has the router's sentences about calls before it, after which this one is made; `guided` says that this
    one offers no tools, since the model cannot call them; `bare` that it is no question of `nexus ask`.
    """

    response: decision_pb2.ExplainRouteResponse
    request: router_pb2.ChatCompletionRequest = field(default_factory=router_pb2.ChatCompletionRequest)
    refused: str = ""
    guided: bool = False
    bare: bool = False


async def _as_asked(session: Session, query: agent_pb2.QueryAgentRequest) -> _Explained:
    """What becomes of the first call of a question and, where that is refused, of the one that is tried then."""
    first = await _previewed(session, query, "")
    explained = _Explained(await _explained(session, first.request), first.request, guided=first.guided)
    refusal = explained.response.refusal
    if not refusal.reason or first.guided:
        return explained
    second = await _previewed(session, query, refusal.reason)
    if not second.HasField("request"):
        return explained
    response = await _explained(session, second.request)
    if not response.decision.choice:
        return explained
    return _Explained(response, second.request, f"{refusal.message}  [{refusal.reason}]", guided=True)


async def _previewed(
    session: Session, query: agent_pb2.QueryAgentRequest, refused_reason: str
) -> agent_pb2.PreviewQueryResponse:
    """What the orchestrator would send. A choice of models is for the router alone: the orchestrator takes names."""
    asked = agent_pb2.QueryAgentRequest()
    asked.CopyFrom(query)
    chosen_among = query.model == _ANY_MODEL or query.model.endswith("/")
    if chosen_among:
        asked.ClearField("model")
    async with session.connect("orchestrator") as link:
        stub = agent_pb2_grpc.AgentServiceStub(link.channel)
        request = agent_pb2.PreviewQueryRequest(query=asked, refused_reason=refused_reason)
        found = await stub.PreviewQuery(request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)
    if chosen_among and found.HasField("request"):
        found.request.model = query.model
    return found


def _bare(query: agent_pb2.QueryAgentRequest, *, with_tools: bool) -> router_pb2.ChatCompletionRequest:
    """A chat of the question alone."""
    routing = router_pb2.RoutingOptions(
        tier=query.routing.tier,
        data_class=query.routing.data_class,
        residency=query.routing.residency,
        conversation_id=query.conversation_id,
    )
    if query.routing.HasField("max_cost_micro_usd"):
        routing.max_cost_micro_usd = query.routing.max_cost_micro_usd
    said = router_pb2.ChatMessage(role=router_pb2.ROLE_USER, content=[router_pb2.ContentPart(text=query.question)])
    offered = [router_pb2.ToolDefinition(name="any_tool")] if with_tools else []
    return router_pb2.ChatCompletionRequest(model=query.model, messages=[said], tools=offered, routing=routing)


async def _explained(session: Session, request: router_pb2.ChatCompletionRequest) -> decision_pb2.ExplainRouteResponse:
    async with session.connect("router") as link:
        stub = decision_pb2_grpc.DecisionServiceStub(link.channel)
        explain_request = decision_pb2.ExplainRouteRequest(request=request)
        return await stub.ExplainRoute(explain_request, metadata=link.metadata, timeout=UNARY_TIMEOUT_S)


def _show(explained: _Explained, output: Output) -> None:
    if explained.refused:
        output.prose(f"With tools: {explained.refused}", "yellow")
        output.prose("`nexus ask` then asks a model that is offered no tools:")
        output.line("")
    show_decision(explained.response.decision, output, explained.response.refusal)
    if explained.bare:
        return
    request = explained.request
    tools = counted(len(request.tools), "tool") if request.tools else "no tools"
    output.note(
        f"As `nexus ask` sends it: with instructions, {tools}, at most {request.max_output_tokens} tokens back."
    )
    if explained.guided:
        output.note("Rules plan the calls of tools, and the model is asked only where no tool answers.")
