"""What `ask_agent` is asked, read from a stranger's arguments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.mcp_server.domain.errors import Reason, failure

TOOL = "ask_agent"
MOST_BYTES = 1024 * 1024
_MOST_ID = 64
INPUT_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["question"],
    "properties": {
        "question": {"type": "string", "minLength": 1, "description": "What the agent is to answer or do."},
        "conversation_id": {
            "type": "string",
            "maxLength": _MOST_ID,
            "description": "The conversation to go on with, as an earlier answer named it; left out for a new one.",
        },
    },
}
OUTPUT_SCHEMA: Mapping[str, object] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["answer", "run_id", "conversation_id"],
    "properties": {
        "answer": {"type": "string"},
        "run_id": {"type": "string", "description": "The run, for `nexus runs show`."},
        "conversation_id": {"type": "string", "description": "To go on with by a further question."},
        "warnings": {"type": "array", "items": {"type": "string"}},
    },
}


@dataclass(frozen=True, slots=True)
class Question:
    """A question for the agent; `conversation_id` is empty for a new conversation."""

    text: str
    conversation_id: str


def question_of(arguments: Mapping[str, object]) -> Question:
    """Return what `arguments` ask.

    Raises:
        InvalidInput: ARGUMENTS_INVALID, naming what is wrong.
    """
    text, conversation_id = arguments.get("question"), arguments.get("conversation_id", "")
    unknown = sorted(set(arguments) - {"question", "conversation_id"})
    if unknown:
        raise failure(Reason.ARGUMENTS_INVALID, f"There is no argument {unknown[0][:64]!r}.")
    if not isinstance(text, str) or not text.strip():
        raise failure(Reason.ARGUMENTS_INVALID, "`question` must be a text that is not empty.")
    if len(text.encode(errors="replace")) > MOST_BYTES:
        raise failure(Reason.ARGUMENTS_INVALID, f"`question` has more than {MOST_BYTES} bytes.")
    if not isinstance(conversation_id, str) or len(conversation_id) > _MOST_ID:
        raise failure(Reason.ARGUMENTS_INVALID, f"`conversation_id` must be a text of at most {_MOST_ID} characters.")
    return Question(text, conversation_id)
