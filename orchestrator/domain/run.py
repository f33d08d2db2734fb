"""A run: one question and all that became of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from orchestrator.domain.routing import DEFAULT_ROUTING, Routing
from orchestrator.domain.tools import Artifact
from shared.auth.principal import Principal


class RunStatus(StrEnum):
    """Where a run stands. The last three are final."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing more will happen."""
        return self in {RunStatus.COMPLETED, RunStatus.FAILED, RunStatus.CANCELLED}


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of one run: model calls, tool calls, wall seconds from its first start."""

    max_steps: int
    max_tool_calls: int
    timeout_s: float


@dataclass(frozen=True, slots=True)
class Usage:
    """What a run used so far; money in millionths of a US dollar.

    `cost_unknown` counts the model calls of which nobody knows the whole cost.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cost_micro_usd: int = 0
    model_calls: int = 0
    tool_calls: int = 0
    cost_unknown: int = 0

    def plus(self, other: Usage) -> Usage:
        """Return the sum of both."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cost_micro_usd + other.cost_micro_usd,
            self.model_calls + other.model_calls,
            self.tool_calls + other.tool_calls,
            self.cost_unknown + other.cost_unknown,
        )


@dataclass(frozen=True, slots=True)
class ToolCallSummary:
    """One ended tool call: arguments as one JSON object, summary as a short text for people, and what it left."""

    tool_call_id: str
    tool: str
    arguments_json: str
    ok: bool
    summary: str
    artifacts: tuple[Artifact, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed: a reason for programs (see `errors.py`) and one sentence for people."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run as it is accepted.

    `request_id` makes acceptance idempotent for the user; `fingerprint` tells whether a repeated request asks the
    same. `conversation_id` is empty for a run that starts a conversation; then `new_conversation_id` names it.
    """

    run_id: str
    principal: Principal
    request_id: str
    fingerprint: str
    conversation_id: str
    new_conversation_id: str
    question: str
    model: str
    limits: Limits
    created_at: datetime
    routing: Routing = DEFAULT_ROUTING
    channel: str = ""


@dataclass(frozen=True, slots=True)
class RunTicket:
    """What has to be known of a run to work on it: whose it is and which line it stands in."""

    run_id: str
    conversation_id: str
    principal: Principal

    @property
    def org_id(self) -> str:
        """The organisation that the run belongs to."""
        return self.principal.org_id


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is stored.

    `requested_model` is what the caller chose (empty for the router's chain), `model` what answered
    last or, when rules and tools gave the answer alone, what was chosen to.
    `attempt` counts starts, `crashes` the starts that ended without a word. `timeout_s` counts from `started_at`.
    `routing` holds for every model call, and `channel` (that the question came over; empty for none) for every tool
    call, whichever attempt makes it.
    """

    run_id: str
    conversation_id: str
    principal: Principal
    question: str
    requested_model: str
    limits: Limits
    status: RunStatus
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    answer: str = ""
    failure: Failure | None = None
    model: str = ""
    usage: Usage = field(default_factory=Usage)
    tool_calls: tuple[ToolCallSummary, ...] = ()
    last_sequence: int = 0
    attempt: int = 0
    crashes: int = 0
    routing: Routing = DEFAULT_ROUTING
    channel: str = ""

    @property
    def org_id(self) -> str:
        """The organisation that the run belongs to."""
        return self.principal.org_id

    @property
    def ticket(self) -> RunTicket:
        """What has to be known of the run to work on it."""
        return RunTicket(self.run_id, self.conversation_id, self.principal)
