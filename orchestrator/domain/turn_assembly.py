"""Puts one streamed turn of a model together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from orchestrator.domain.agent_state import CallData
from orchestrator.domain.chat import ChatCompleted, ChatStarted, ChatToolCallPart


@dataclass(slots=True)
class _Parts:
    tool_call_id: str = ""
    tool: str = ""
    arguments: list[str] = field(default_factory=list[str])


@dataclass(slots=True)
class CallAssembly:
    """What has arrived of a turn's tool calls."""

    parts: dict[int, _Parts] = field(default_factory=dict[int, _Parts])

    def add(self, part: ChatToolCallPart) -> None:
        """Add a piece of a tool call: id and name come once, arguments are joined."""
        call = self.parts.setdefault(part.index, _Parts())
        call.tool_call_id = call.tool_call_id or part.tool_call_id
        call.tool = call.tool or part.tool
        call.arguments.append(part.arguments_json)

    def calls(self, used_ids: Collection[str], step: int) -> list[CallData]:
        """Return the tool calls in the model's order, with ids that are unique within the run.

        Some servers give no ids, or the same ones in every turn; such a call gets an id of its step and place.
        """
        taken = set(used_ids)
        calls: list[CallData] = []
        for place, index in enumerate(sorted(self.parts)):
            part = self.parts[index]
            call_id = part.tool_call_id
            if not call_id or call_id in taken or len(call_id) > 64:
                call_id = f"call_{step}_{place}"
            taken.add(call_id)
            calls.append(CallData(id=call_id, tool=part.tool, arguments="".join(part.arguments)))
        return calls


@dataclass(frozen=True, slots=True)
class StreamedTurn:
    """A model call that ended: what came besides its text."""

    started: ChatStarted
    completed: ChatCompleted
    calls: CallAssembly
