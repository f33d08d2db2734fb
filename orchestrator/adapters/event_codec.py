"""Events as rows: a kind and a compact JSON object of the payload's fields."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import orjson

from orchestrator.domain import events as ev
from orchestrator.domain.chat import CacheHit
from orchestrator.domain.routing import CacheMode
from orchestrator.domain.run import Failure, ToolCallSummary
from orchestrator.domain.tools import Artifact

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_KINDS: Final[dict[type[ev.Payload], str]] = {
    ev.RunStarted: "run_started",
    ev.StepStarted: "step_started",
    ev.TokenDelta: "token_delta",
    ev.AnswerReset: "answer_reset",
    ev.ToolCallStarted: "tool_call_started",
    ev.ToolCallFinished: "tool_call_finished",
    ev.UsageReported: "usage_reported",
    ev.Warned: "warning",
    ev.RunFinished: "run_finished",
    ev.RunFailed: "run_failed",
    ev.RunCancelled: "run_cancelled",
}
_TYPES: Final = {kind: payload for payload, kind in _KINDS.items()}


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970 of an aware moment."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_of(microseconds_since_1970: int) -> datetime:
    """Return the aware moment, in UTC."""
    return _EPOCH + microseconds_since_1970 * _MICROSECOND


def kind_of(payload: ev.Payload) -> str:
    """Return the kind under which a payload is stored."""
    return _KINDS[type(payload)]


def encode_payload(payload: ev.Payload) -> str:
    """Return the payload's fields as JSON."""
    return orjson.dumps(dataclasses.asdict(payload)).decode()


def decode_payload(kind: str, text: str) -> ev.Payload:
    """Return the payload that was stored."""
    fields: dict[str, Any] = orjson.loads(text)
    if kind == "run_failed":
        return ev.RunFailed(Failure(**fields["failure"]), fields["answer"])
    if kind == "usage_reported" and (hit := fields.get("cache_hit")):
        fields["cache_hit"] = CacheHit(CacheMode(hit["mode"]), hit["age_ms"], hit["similarity_ppm"])
    if kind == "tool_call_finished":
        _decode_artifacts(fields)
    return _TYPES[kind](**fields)


def encode_summaries(summaries: tuple[ToolCallSummary, ...]) -> str:
    """Return ended tool calls as a JSON array."""
    return orjson.dumps([dataclasses.asdict(summary) for summary in summaries]).decode()


def decode_summaries(text: str) -> tuple[ToolCallSummary, ...]:
    """Return the ended tool calls that were stored."""
    summaries: list[dict[str, Any]] = orjson.loads(text)
    return tuple(ToolCallSummary(**_decode_artifacts(fields)) for fields in summaries)


def _decode_artifacts(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with artifacts made of theirs; what was stored before there were artifacts has none."""
    fields["artifacts"] = tuple(Artifact(**artifact) for artifact in fields.get("artifacts", ()))
    return fields
