"""The conversations on SQLite."""

from __future__ import annotations

from sqlalchemy import RowMapping, delete, func, insert, select, true, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.adapters.event_codec import microseconds, moment_of
from orchestrator.adapters.message_rows import routings_of
from orchestrator.adapters.tables import conversations, deleted_conversations, events, messages, runs
from orchestrator.domain.conversation import Conversation, Message, NewConversation, Speaker
from orchestrator.domain.lookup_errors import conversation_not_found, request_id_reused
from orchestrator.domain.pages import MOST_MESSAGES_CHARS, Page, PageMark, PageRequest, token_of
from orchestrator.domain.routing import Routing
from orchestrator.domain.run import Run, RunStatus
from orchestrator.domain.run_lifecycle import conversation_busy
from shared.storage import Database


class SqliteConversationStore:
    """`ConversationStore` over one SQLite file, shared with `SqliteRunStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, new: NewConversation) -> Conversation:
        """See `ConversationStore.create`."""
        now_us = microseconds(new.created_at)
        row = {
            "conversation_id": new.conversation_id,
            "org_id": new.org_id,
            "user_id": new.user_id,
            "title": new.title,
            "request_id": new.request_id,
            "created_us": now_us,
            "updated_us": now_us,
        }
        same_request = select(conversations).where(
            conversations.c.org_id == new.org_id,
            conversations.c.user_id == new.user_id,
            conversations.c.request_id == new.request_id,
        )
        async with self._database.begin() as connection:
            first = (await connection.execute(same_request)).mappings().one_or_none()
            if first is None:
                await connection.execute(insert(conversations), row)
        if first is None:
            return Conversation(new.conversation_id, new.org_id, new.user_id, new.title, new.created_at, new.created_at)
        # A conversation that was made without a title may have got one from its first question since.
        if new.title and first["title"] != new.title:
            raise request_id_reused(new.request_id)
        return _conversation(first)

    async def get(self, org_id: str, user_id: str, conversation_id: str) -> Conversation:
        """See `ConversationStore.get`."""
        async with self._database.connect() as connection:
            row = await _owned(connection, org_id, user_id, conversation_id)
        if row is None:
            raise conversation_not_found(conversation_id)
        return _conversation(row)

    async def page(self, org_id: str, user_id: str, page: PageRequest) -> Page[Conversation]:
        """See `ConversationStore.page`."""
        created, identity = conversations.c.created_us, conversations.c.conversation_id
        query = select(conversations).where(conversations.c.org_id == org_id, conversations.c.user_id == user_id)
        if page.after is not None:
            query = query.where(tuple_(created, identity) < (page.after.created_us, page.after.row_id))
        query = query.order_by(created.desc(), identity.desc()).limit(page.size + 1)
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        shown = rows[: page.size]
        more = len(rows) > page.size
        token = token_of(PageMark(shown[-1]["created_us"], shown[-1]["conversation_id"])) if more else ""
        return Page(tuple(_conversation(row) for row in shown), token)

    async def messages(self, org_id: str, conversation_id: str, limit: int) -> list[Message]:
        """See `ConversationStore.messages`."""
        return await self._newest(org_id, conversation_id, limit, before_run_id="")

    async def routings(self, org_id: str, conversation_id: str) -> list[Routing]:
        """See `ConversationStore.routings`."""
        async with self._database.connect() as connection:
            return await routings_of(connection, org_id, conversation_id)

    async def history(self, run: Run, limit: int) -> list[Message]:
        """See `ConversationStore.history`."""
        return await self._newest(run.org_id, run.conversation_id, limit, before_run_id=run.run_id)

    async def tools_used(self, run: Run) -> list[str]:
        """See `ConversationStore.tools_used`."""
        calls = func.json_each(runs.c.tool_calls).table_valued("value")
        name = func.json_extract(calls.c.value, "$.tool")
        query = (
            select(name)
            .select_from(runs.join(calls, true()))
            .where(runs.c.org_id == run.org_id, runs.c.conversation_id == run.conversation_id)
            .distinct()
            .order_by(name)
        )
        async with self._database.connect() as connection:
            return list(await connection.scalars(query))

    async def delete(self, org_id: str, user_id: str, conversation_id: str, request_id: str) -> list[str]:
        """See `ConversationStore.delete`."""
        async with self._database.begin() as connection:
            if await _owned(connection, org_id, user_id, conversation_id) is None:
                if await _was_deleted(connection, (org_id, user_id, request_id), conversation_id):
                    return []
                raise conversation_not_found(conversation_id)
            found = await connection.execute(
                select(runs.c.run_id, runs.c.status).where(
                    runs.c.org_id == org_id, runs.c.conversation_id == conversation_id
                )
            )
            statuses = {run_id: RunStatus(status) for run_id, status in found}
            if any(not status.final for status in statuses.values()):
                raise conversation_busy(conversation_id)
            await _delete_all(connection, conversation_id, list(statuses))
            if request_id:
                await _note_deletion(connection, (org_id, user_id, request_id), conversation_id)
        return list(statuses)

    async def _newest(self, org_id: str, conversation_id: str, limit: int, *, before_run_id: str) -> list[Message]:
        so_far = func.sum(func.length(messages.c.text)).over(order_by=messages.c.position.desc())
        query = select(messages, so_far.label("so_far")).where(
            messages.c.org_id == org_id, messages.c.conversation_id == conversation_id
        )
        if before_run_id:
            own = (
                select(messages.c.position)
                .where(
                    messages.c.org_id == org_id,
                    messages.c.run_id == before_run_id,
                    messages.c.speaker == Speaker.USER.value,
                )
                .scalar_subquery()
            )
            query = query.where(messages.c.position < own)
        newest = query.order_by(messages.c.position.desc()).limit(limit).subquery()
        fitting = select(newest).where(newest.c.so_far <= MOST_MESSAGES_CHARS).order_by(newest.c.position)
        async with self._database.connect() as connection:
            rows = (await connection.execute(fitting)).mappings().all()
        return [
            Message(Speaker(row["speaker"]), row["text"], row["run_id"], moment_of(row["created_us"])) for row in rows
        ]


def _conversation(row: RowMapping) -> Conversation:
    return Conversation(
        row["conversation_id"],
        row["org_id"],
        row["user_id"],
        row["title"],
        moment_of(row["created_us"]),
        moment_of(row["updated_us"]),
    )


async def _owned(connection: AsyncConnection, org_id: str, user_id: str, conversation_id: str) -> RowMapping | None:
    query = select(conversations).where(
        conversations.c.conversation_id == conversation_id,
        conversations.c.org_id == org_id,
        conversations.c.user_id == user_id,
    )
    return (await connection.execute(query)).mappings().one_or_none()


async def _was_deleted(connection: AsyncConnection, request: tuple[str, str, str], conversation_id: str) -> bool:
    gone = deleted_conversations.c
    query = select(gone.conversation_id).where(tuple_(gone.org_id, gone.user_id, gone.request_id) == request)
    return (await connection.scalar(query)) == conversation_id


async def _note_deletion(connection: AsyncConnection, request: tuple[str, str, str], conversation_id: str) -> None:
    org_id, user_id, request_id = request
    gone = deleted_conversations.c
    query = select(gone.conversation_id).where(tuple_(gone.org_id, gone.user_id, gone.request_id) == request)
    if await connection.scalar(query) is not None:
        raise request_id_reused(request_id)
    await connection.execute(
        insert(deleted_conversations),
        {"org_id": org_id, "user_id": user_id, "request_id": request_id, "conversation_id": conversation_id},
    )


async def _delete_all(connection: AsyncConnection, conversation_id: str, run_ids: list[str]) -> None:
    await connection.execute(delete(messages).where(messages.c.conversation_id == conversation_id))
    for run_id in run_ids:
        await connection.execute(delete(events).where(events.c.run_id == run_id))
    await connection.execute(delete(runs).where(runs.c.conversation_id == conversation_id))
    await connection.execute(delete(conversations).where(conversations.c.conversation_id == conversation_id))
