"""The options of questions that say how their model calls are to be routed."""

from __future__ import annotations

import shlex
from enum import StrEnum
from typing import Annotated

import typer

from protos.gen.nexus.agent.v1 import agent_pb2
from protos.gen.nexus.router.v1 import contract_pb2, router_pb2

_MICRO = 1_000_000


class DataClassWord(StrEnum):
    """How sensitive a question is."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"


TierOption = Annotated[str, typer.Option("--tier", help="fast, balanced, deep, or another tier of the rules.")]
DataClassOption = Annotated[DataClassWord | None, typer.Option("--data-class", help="How sensitive it is.")]
ResidencyOption = Annotated[list[str] | None, typer.Option("--residency", help="Region; repeat for more.")]
MaxCostOption = Annotated[
    float | None, typer.Option("--max-cost-usd", min=0, max=1_000_000, help="Most that one model call may cost.")
]
CacheOption = Annotated[bool, typer.Option("--cache/--no-cache", help="Whether a cached answer will do.")]


def routing_of(
    tier: str,
    data_class: DataClassWord | None,
    residency: list[str] | None,
    max_cost_usd: float | None,
    *,
    cached: bool = False,
) -> agent_pb2.RunRouting:
    """Return what the options say."""
    routing = agent_pb2.RunRouting(tier=tier, residency=residency or [])
    if data_class is not None:
        routing.data_class = contract_pb2.DataClass.Value(f"DATA_CLASS_{data_class.name}")
    if max_cost_usd is not None:
        routing.max_cost_micro_usd = round(max_cost_usd * _MICRO)
    if cached:
        routing.cache_mode = router_pb2.CACHE_MODE_EXACT
    return routing


def explain_command(query: agent_pb2.QueryAgentRequest) -> str:
    """Return the command that shows how a question is routed, with the question's own options."""
    routing = query.routing
    words = ["nexus", "route", "explain", query.question]
    if query.model:
        words += ["--model", query.model]
    if routing.tier:
        words += ["--tier", routing.tier]
    if routing.data_class:
        word = contract_pb2.DataClass.Name(routing.data_class).removeprefix("DATA_CLASS_").lower()
        words += ["--data-class", word]
    for region in routing.residency:
        words += ["--residency", region]
    if routing.HasField("max_cost_micro_usd"):
        words += ["--max-cost-usd", f"{routing.max_cost_micro_usd / _MICRO:.6f}".rstrip("0").rstrip(".")]
    if query.conversation_id:
        words += ["--conversation", query.conversation_id]
    return shlex.join(words)
