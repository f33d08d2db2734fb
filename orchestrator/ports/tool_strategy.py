"""Which tools a question needs, for models that cannot say it themselves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from orchestrator.domain.events import UsageReported
from orchestrator.domain.prompts import Prompt
from orchestrator.domain.routing import DEFAULT_ROUTING, Routing
from orchestrator.domain.tools import Tool


@dataclass(frozen=True, slots=True)
class PlanRequest:
    """A question to plan for.

    Attributes:
        question: the question.
        tools: the tools that may be called.
        now: the time, in the time zone of the organisation.
        model: `provider/model` that may fill in arguments; empty for the router's chain.
        timeout_s: longest time the planning may take.
        request_id: names the planning, for tracing.
        demonstration: whether that model is the small one that ships: it is not trusted with the arguments of a tool
            that has rules of its own.
        conversation_id: the conversation that it is for.
        routing: how its calls of models are to be routed.
    """

    question: str
    tools: tuple[Tool, ...]
    now: datetime
    model: str
    timeout_s: float
    request_id: str
    demonstration: bool = False
    conversation_id: str = ""
    routing: Routing = DEFAULT_ROUTING


@dataclass(frozen=True, slots=True)
class PlannedCall:
    """A tool to call, with its arguments as one JSON object."""

    tool: str
    arguments_json: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What a question needs.

    Attributes:
        calls: the calls to make, none for small talk.
        declined: why a tool that the question needs is not called, for people; each once.
        usage: the model calls that the planning cost.
    """

    calls: tuple[PlannedCall, ...] = ()
    declined: tuple[Prompt, ...] = ()
    usage: tuple[UsageReported, ...] = ()


class ToolStrategy(Protocol):
    """Plans tool calls. Abstains when in doubt: a wrong tool is worse than none."""

    async def warm(self, tools: tuple[Tool, ...]) -> None:
        """Make ready what planning with these tools needs, so that the first question is not slow. Idempotent.

        Raises:
            NexusError: with the router's reason when it cannot be made ready now.
        """
        ...

    async def plan(self, request: PlanRequest) -> Plan:
        """Return the calls to make.

        Raises:
            NexusError: with the router's reason when a model it needs cannot be called.
        """
        ...
