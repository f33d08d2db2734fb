"""Conversations: what was said, in order. One belongs to the user who made it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

TITLE_CHARS = 60


class Speaker(StrEnum):
    """Who said a message of a conversation."""

    USER = "user"
    ASSISTANT = "assistant"


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation without its messages; `updated_at` is when the last message was added."""

    conversation_id: str
    org_id: str
    user_id: str
    title: str
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Message:
    """One message, and the run that it belongs to."""

    speaker: Speaker
    text: str
    run_id: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class NewConversation:
    """A conversation to make; idempotent for the user by `request_id`."""

    conversation_id: str
    org_id: str
    user_id: str
    title: str
    request_id: str
    created_at: datetime


def title_of(question: str) -> str:
    """Return the start of the question on one line, at most 60 characters, cut at a word."""
    line = " ".join(question[: TITLE_CHARS * 8].split())
    if len(line) <= TITLE_CHARS:
        return line
    head = line[: TITLE_CHARS - 1]
    return (head.rsplit(" ", 1)[0] if " " in head else head) + "…"
