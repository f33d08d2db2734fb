"""The part of accepting and ending a run that concerns its conversation, inside the run's own transaction.

A run's question has an even position in its conversation and its answer the odd one after it: so runs that wait in
line keep question and answer together, whenever the answers come.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.adapters.event_codec import microseconds
from orchestrator.adapters.routing_codec import decode_routing
from orchestrator.adapters.tables import conversations, messages, runs
from orchestrator.domain.conversation import Speaker, title_of
from orchestrator.domain.lookup_errors import conversation_not_found
from orchestrator.domain.routing import Routing
from orchestrator.domain.run import NewRun, Run

# Statements are built once: building one costs more than running it.
_NEWEST = select(func.max(messages.c.position)).where(messages.c.conversation_id == bindparam("b_conversation_id"))
_ASKED_AT = select(messages.c.position).where(
    messages.c.org_id == bindparam("b_org_id"),
    messages.c.run_id == bindparam("b_run_id"),
    messages.c.speaker == Speaker.USER.value,
)
_TOUCH = update(conversations).where(conversations.c.conversation_id == bindparam("b_conversation_id"))
_ADD_MESSAGE = insert(messages)
_ROUTINGS = (
    select(runs.c.routing)
    .where(runs.c.org_id == bindparam("b_org_id"), runs.c.conversation_id == bindparam("b_conversation_id"))
    .distinct()
)


async def open_conversation(connection: AsyncConnection, new: NewRun) -> str:
    """Return the id of the run's conversation; make it, or mark it as changed.

    Raises:
        NotFound: CONVERSATION_NOT_FOUND, also for somebody else's.
    """
    now_us = microseconds(new.created_at)
    if not new.conversation_id:
        row = {
            "conversation_id": new.new_conversation_id,
            "org_id": new.principal.org_id,
            "user_id": new.principal.user_id,
            "title": title_of(new.question),
            # The run's own request id makes accepting idempotent; this only keeps the index unique.
            "request_id": new.new_conversation_id,
            "created_us": now_us,
            "updated_us": now_us,
        }
        await connection.execute(insert(conversations), row)
        return new.new_conversation_id
    changed = await connection.execute(
        update(conversations)
        .where(
            conversations.c.conversation_id == new.conversation_id,
            conversations.c.org_id == new.principal.org_id,
            conversations.c.user_id == new.principal.user_id,
        )
        .values(updated_us=now_us)
    )
    if changed.rowcount == 0:
        raise conversation_not_found(new.conversation_id)
    # A conversation that was made without a title takes that of its first question.
    await connection.execute(
        update(conversations)
        .where(conversations.c.conversation_id == new.conversation_id, conversations.c.title == "")
        .values(title=title_of(new.question))
    )
    return new.conversation_id


async def routings_of(connection: AsyncConnection, org_id: str, conversation_id: str) -> list[Routing]:
    """Return how the runs of a conversation are routed, each way once."""
    found = await connection.scalars(_ROUTINGS, {"b_org_id": org_id, "b_conversation_id": conversation_id})
    return [decode_routing(text) for text in found]


async def add_question(connection: AsyncConnection, new: NewRun, conversation_id: str) -> None:
    """Add the user's message of a run that is being accepted."""
    newest = await connection.scalar(_NEWEST, {"b_conversation_id": conversation_id}) if new.conversation_id else None
    position = 0 if newest is None else (newest // 2 + 1) * 2
    await connection.execute(
        _ADD_MESSAGE,
        {
            "conversation_id": conversation_id,
            "position": position,
            "org_id": new.principal.org_id,
            "run_id": new.run_id,
            "speaker": Speaker.USER.value,
            "text": new.question,
            "created_us": microseconds(new.created_at),
        },
    )


async def add_answer(connection: AsyncConnection, run: Run, now: datetime) -> None:
    """Add the agent's message of a run that is being ended, when it has said something."""
    if not run.answer:
        return
    asked_at = await connection.scalar(_ASKED_AT, {"b_org_id": run.org_id, "b_run_id": run.run_id})
    if asked_at is None:
        return
    await connection.execute(
        _ADD_MESSAGE,
        {
            "conversation_id": run.conversation_id,
            "position": asked_at + 1,
            "org_id": run.org_id,
            "run_id": run.run_id,
            "speaker": Speaker.ASSISTANT.value,
            "text": run.answer,
            "created_us": microseconds(now),
        },
    )
    await connection.execute(_TOUCH, {"b_conversation_id": run.conversation_id, "updated_us": microseconds(now)})
