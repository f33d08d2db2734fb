"""Runs as rows of the run table, and back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import RowMapping

from orchestrator.adapters.event_codec import (
    decode_summaries,
    encode_summaries,
    microseconds,
    moment_of,
)
from orchestrator.adapters.routing_codec import decode_routing, encode_routing
from orchestrator.domain.run import Failure, Limits, NewRun, Run, RunStatus, Usage
from shared.auth.principal import Principal


def row_of_new(new: NewRun, conversation_id: str) -> dict[str, Any]:
    """Return the row of a run that was just accepted; its first event has sequence 1."""
    return {
        "run_id": new.run_id,
        "org_id": new.principal.org_id,
        "user_id": new.principal.user_id,
        "key_id": new.principal.key_id,
        "roles": orjson.dumps(sorted(new.principal.roles)).decode(),
        "permissions": orjson.dumps(sorted(new.principal.permissions)).decode(),
        "conversation_id": conversation_id,
        "request_id": new.request_id,
        "fingerprint": new.fingerprint,
        "question": new.question,
        "requested_model": new.model,
        "routing": encode_routing(new.routing),
        "channel": new.channel,
        "max_steps": new.limits.max_steps,
        "max_tool_calls": new.limits.max_tool_calls,
        "timeout_ms": round(new.limits.timeout_s * 1000),
        "status": RunStatus.PENDING.value,
        "created_us": microseconds(new.created_at),
        "last_sequence": 1,
    }


def run_of_row(row: RowMapping) -> Run:
    """Return the run of a row."""
    return Run(
        run_id=row["run_id"],
        conversation_id=row["conversation_id"],
        principal=principal_of_row(row),
        question=row["question"],
        requested_model=row["requested_model"],
        routing=decode_routing(row["routing"]),
        channel=row["channel"],
        limits=Limits(row["max_steps"], row["max_tool_calls"], row["timeout_ms"] / 1000),
        status=RunStatus(row["status"]),
        created_at=moment_of(row["created_us"]),
        started_at=_moment(row["started_us"]),
        ended_at=_moment(row["ended_us"]),
        answer=row["answer"],
        failure=Failure(row["failure_reason"], row["failure_message"]) if row["failure_reason"] else None,
        model=row["model"],
        usage=Usage(
            row["input_tokens"],
            row["output_tokens"],
            row["cost_micro_usd"],
            row["model_calls"],
            row["tool_call_count"],
            row["cost_unknown"],
        ),
        tool_calls=decode_summaries(row["tool_calls"]),
        last_sequence=row["last_sequence"],
        attempt=row["attempt"],
        crashes=row["crashes"],
    )


def principal_of_row(row: RowMapping) -> Principal:
    """Return on whose behalf the run of a row is."""
    return Principal(
        row["org_id"],
        row["user_id"],
        frozenset(orjson.loads(row["roles"])),
        frozenset(orjson.loads(row["permissions"])),
        row["key_id"],
    )


def changes_of(run: Run) -> dict[str, Any]:
    """Return the columns of a run that change during its life."""
    return {
        "status": run.status.value,
        "started_us": _microseconds(run.started_at),
        "ended_us": _microseconds(run.ended_at),
        "answer": run.answer,
        "failure_reason": run.failure.reason if run.failure else "",
        "failure_message": run.failure.message if run.failure else "",
        "model": run.model,
        "input_tokens": run.usage.input_tokens,
        "output_tokens": run.usage.output_tokens,
        "cost_micro_usd": run.usage.cost_micro_usd,
        "cost_unknown": run.usage.cost_unknown,
        "model_calls": run.usage.model_calls,
        "tool_call_count": run.usage.tool_calls,
        "tool_calls": encode_summaries(run.tool_calls),
        "last_sequence": run.last_sequence,
        "attempt": run.attempt,
        "crashes": run.crashes,
    }


def _moment(value: int | None) -> datetime | None:
    return None if value is None else moment_of(value)


def _microseconds(value: datetime | None) -> int | None:
    return None if value is None else microseconds(value)
