"""The run table and the event log on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, bindparam, func, insert, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncConnection

from orchestrator.adapters.event_codec import (
    decode_payload,
    encode_payload,
    kind_of,
    microseconds,
    moment_of,
)
from orchestrator.adapters.message_rows import (
    add_answer,
    add_question,
    open_conversation,
    routings_of,
)
from orchestrator.adapters.run_rows import changes_of, principal_of_row, row_of_new, run_of_row
from orchestrator.adapters.tables import events, runs
from orchestrator.domain.carried_routing import with_history
from orchestrator.domain.events import (
    Ending,
    NewEvent,
    Payload,
    RunEvent,
    RunStarted,
    ToolCallFinished,
    UsageReported,
    final_status,
)
from orchestrator.domain.lookup_errors import request_id_reused, run_not_found
from orchestrator.domain.pages import MOST_LISTED_CHARS, Page, PageMark, PageRequest, token_of
from orchestrator.domain.run import NewRun, Run, RunStatus, RunTicket
from orchestrator.domain.run_lifecycle import (
    accepted,
    begin_attempt,
    check_transition,
    end,
    fenced,
    grown,
)
from orchestrator.ports.run_store import Accepted
from shared.storage import Database

_CUT = ("question", "answer")
_LISTED = [
    func.substr(column, 1, MOST_LISTED_CHARS).label(column.name) if column.name in _CUT else column for column in runs.c
]
_TICKET = [
    runs.c[name] for name in ("run_id", "conversation_id", "org_id", "user_id", "key_id", "roles", "permissions")
]

# Statements are built once: building one costs more than running it.
_ONE = select(runs).where(runs.c.run_id == bindparam("b_run_id"), runs.c.org_id == bindparam("b_org_id"))
_OF_REQUEST = select(runs).where(
    runs.c.org_id == bindparam("b_org_id"),
    runs.c.user_id == bindparam("b_user_id"),
    runs.c.request_id == bindparam("b_request_id"),
)
_SAVE = update(runs).where(runs.c.run_id == bindparam("b_run_id"))
_AT_WORK = update(runs).where(
    runs.c.run_id == bindparam("b_run_id"),
    runs.c.attempt == bindparam("b_attempt"),
    runs.c.status == RunStatus.RUNNING.value,
)
_GROW = _AT_WORK.values(last_sequence=runs.c.last_sequence + bindparam("b_events")).returning(runs.c.last_sequence)
_EVENTS_AFTER = (
    select(events)
    .where(
        events.c.run_id == bindparam("b_run_id"),
        events.c.org_id == bindparam("b_org_id"),
        events.c.sequence > bindparam("b_after"),
    )
    .order_by(events.c.sequence)
    .limit(bindparam("b_limit"))
)
_ADD_EVENTS = insert(events)


class SqliteRunStore:
    """`RunStore` over one SQLite file, shared with `SqliteConversationStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def accept(self, new: NewRun) -> Accepted:
        """See `RunStore.accept`."""
        async with self._database.begin() as connection:
            first = await _by_request(connection, new)
            if first is not None:
                if first["fingerprint"] != new.fingerprint:
                    raise request_id_reused(new.request_id)
                return Accepted(run_of_row(first), created=False)
            conversation_id = await open_conversation(connection, new)
            earlier = await routings_of(connection, new.principal.org_id, conversation_id)
            new = replace(new, routing=with_history(new.routing, earlier))
            row = row_of_new(new, conversation_id)
            await connection.execute(insert(runs), row)
            started = RunStarted(conversation_id, new.question)
            await _write_events(connection, row["org_id"], new.run_id, 1, [(new.created_at, started)])
            await add_question(connection, new, conversation_id)
        return Accepted(accepted(new, conversation_id), created=True)

    async def get(self, org_id: str, run_id: str) -> Run:
        """See `RunStore.get`."""
        async with self._database.connect() as connection:
            return run_of_row(await _row(connection, org_id, run_id))

    async def page(self, org_id: str, page: PageRequest, conversation_id: str = "") -> Page[Run]:
        """See `RunStore.page`."""
        query = select(*_LISTED).where(runs.c.org_id == org_id)
        if conversation_id:
            query = query.where(runs.c.conversation_id == conversation_id)
        if page.after is not None:
            query = query.where(tuple_(runs.c.created_us, runs.c.run_id) < (page.after.created_us, page.after.row_id))
        query = query.order_by(runs.c.created_us.desc(), runs.c.run_id.desc()).limit(page.size + 1)
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        shown = rows[: page.size]
        more = len(rows) > page.size
        token = token_of(PageMark(shown[-1]["created_us"], shown[-1]["run_id"])) if more else ""
        return Page(tuple(run_of_row(row) for row in shown), token)

    async def begin(self, org_id: str, run_id: str, now: datetime) -> Run:
        """See `RunStore.begin`."""
        async with self._database.begin() as connection:
            row = await _row(connection, org_id, run_id)
            run = begin_attempt(run_of_row(row), now, released=bool(row["released"]))
            await _save(connection, run, {"released": 0})
        return run

    async def release(self, run: Run) -> None:
        """See `RunStore.release`."""
        async with self._database.begin() as connection:
            await connection.execute(
                update(runs).where(runs.c.run_id == run.run_id, runs.c.attempt == run.attempt).values(released=1)
            )

    async def append(self, run: Run, new: Sequence[NewEvent]) -> int:
        """See `RunStore.append`."""
        payloads = [event.payload for event in new]
        async with self._database.begin() as connection:
            newest = await connection.scalar(
                _GROW, {"b_run_id": run.run_id, "b_attempt": run.attempt, "b_events": len(payloads)}
            )
            if newest is None:
                raise fenced(run.run_id)
            stamped = [(event.created_at, event.payload) for event in new]
            await _write_events(connection, run.org_id, run.run_id, newest - len(new) + 1, stamped)
            await _add_totals(connection, run, payloads)
        return newest

    async def end(self, run: Run, new: Sequence[NewEvent], ending: Ending, now: datetime) -> Run:
        """See `RunStore.end`."""
        async with self._database.begin() as connection:
            stored = run_of_row(await _row(connection, run.org_id, run.run_id))
            check_transition(stored.status, final_status(ending))
            if stored.attempt != run.attempt:
                raise fenced(run.run_id)
            payloads: list[tuple[datetime, Payload]] = [(event.created_at, event.payload) for event in new]
            payloads.append((now, ending))
            ended = end(grown(stored, [payload for _, payload in payloads]), ending, now)
            await _write_events(connection, run.org_id, run.run_id, stored.last_sequence + 1, payloads)
            await _save(connection, ended, {})
            await add_answer(connection, ended, now)
        return ended

    async def events(self, org_id: str, run_id: str, after_sequence: int, limit: int) -> list[RunEvent]:
        """See `RunStore.events`."""
        wanted = {"b_run_id": run_id, "b_org_id": org_id, "b_after": after_sequence, "b_limit": limit}
        async with self._database.connect() as connection:
            rows = (await connection.execute(_EVENTS_AFTER, wanted)).mappings().all()
        return [
            RunEvent(
                row["run_id"],
                row["sequence"],
                moment_of(row["created_us"]),
                decode_payload(row["kind"], row["payload"]),
            )
            for row in rows
        ]

    async def unfinished(self) -> list[RunTicket]:
        """See `RunStore.unfinished`."""
        query = (
            select(*_TICKET)
            .where(runs.c.status.in_([RunStatus.PENDING.value, RunStatus.RUNNING.value]))
            .order_by(runs.c.created_us, runs.c.run_id)
        )
        async with self._database.connect() as connection:
            rows = (await connection.execute(query)).mappings().all()
        return [RunTicket(row["run_id"], row["conversation_id"], principal_of_row(row)) for row in rows]


async def _row(connection: AsyncConnection, org_id: str, run_id: str) -> RowMapping:
    found = await connection.execute(_ONE, {"b_run_id": run_id, "b_org_id": org_id})
    row = found.mappings().one_or_none()
    if row is None:
        raise run_not_found(run_id)
    return row


async def _by_request(connection: AsyncConnection, new: NewRun) -> RowMapping | None:
    same = {
        "b_org_id": new.principal.org_id,
        "b_user_id": new.principal.user_id,
        "b_request_id": new.request_id,
    }
    return (await connection.execute(_OF_REQUEST, same)).mappings().one_or_none()


async def _save(connection: AsyncConnection, run: Run, more: dict[str, Any]) -> None:
    """Write a run that the state machine made: the only place where a status changes."""
    await connection.execute(_SAVE, {"b_run_id": run.run_id, **changes_of(run), **more})


async def _add_totals(connection: AsyncConnection, run: Run, payloads: Sequence[Payload]) -> None:
    """Add usage, model and ended tool calls of these events to a run's row; most events have none."""
    if not any(isinstance(payload, UsageReported | ToolCallFinished) for payload in payloads):
        return
    stored = run_of_row(await _row(connection, run.org_id, run.run_id))
    # `grown` counts the events too, which the row has already.
    await _save(connection, replace(grown(stored, payloads), last_sequence=stored.last_sequence), {})


async def _write_events(
    connection: AsyncConnection,
    org_id: str,
    run_id: str,
    first_sequence: int,
    stamped: Sequence[tuple[datetime, Payload]],
) -> None:
    await connection.execute(
        _ADD_EVENTS,
        [
            {
                "run_id": run_id,
                "sequence": sequence,
                "org_id": org_id,
                "created_us": microseconds(created_at),
                "kind": kind_of(payload),
                "payload": encode_payload(payload),
            }
            for sequence, (created_at, payload) in enumerate(stamped, first_sequence)
        ],
    )
