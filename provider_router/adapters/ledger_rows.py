"""Rows of the ledger: the statements of the hot path, and domain types as rows and back.

Times are microseconds since 1970, days are days since 1970, both UTC; truths are 0 and 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from provider_router.domain.calls.usage import TokenUsage
from provider_router.domain.contracts.contract import Operation
from provider_router.domain.decisions.route_request import Caller
from provider_router.domain.money.attempt import AttemptClosing, AttemptOpening, LedgerEntry, Outcome
from provider_router.domain.money.spending import day_of
from shared.storage import ManyRows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

OPENING_COLUMNS = (
    "attempt_id, org_id, user_id, key_id, conversation_id, decision_id, operation, service, deployment, number, "
    "streamed, hedge, price_version, reserved_input, reserved_output, reserved_cached_input, reserved_reasoning, "
    "reserved_cache_write, reserved_micro_usd, opened_us"
)
CLOSING_COLUMNS = (
    "outcome, reason, input_tokens, output_tokens, cached_input_tokens, reasoning_tokens, cache_write_tokens, "
    "estimated, cost_micro_usd, first_token_ms, duration_ms, closed_us"
)
ENTRY_COLUMNS = f"sequence, {OPENING_COLUMNS}, {CLOSING_COLUMNS}"
_OPENING_COUNT = OPENING_COLUMNS.count(",") + 1
_CLOSING_COUNT = CLOSING_COLUMNS.count(",") + 1

INSERT = ManyRows(
    f"INSERT OR IGNORE INTO ledger_attempts (sequence, {OPENING_COLUMNS}, day, router_id, {CLOSING_COLUMNS}) "  # noqa: S608
    "VALUES {rows}",
    f"(?, {', '.join('?' * _OPENING_COUNT)}, ?, ?, 'open', '', 0, 0, 0, 0, 0, 0, 0, NULL, 0, 0)",
)
"""Its rows are `opening_row` after a sequence."""
SETTLE = ManyRows(
    f"UPDATE ledger_attempts SET ({CLOSING_COLUMNS}) = "  # noqa: S608
    f"({', '.join(f'v.column{number + 4}' for number in range(_CLOSING_COUNT))}) FROM (VALUES {{rows}}) AS v "
    "WHERE ledger_attempts.org_id = v.column1 AND ledger_attempts.sequence = v.column2 "
    "AND ledger_attempts.attempt_id = v.column3 AND ledger_attempts.outcome = 'open'",
    f"({', '.join('?' * (_CLOSING_COUNT + 3))})",
)
"""Its rows are `closing_row` after an organisation, a sequence and an attempt's id."""
SETTLE_BY_ID = (
    f"UPDATE ledger_attempts SET ({CLOSING_COLUMNS}) = ({', '.join('?' * _CLOSING_COUNT)}) "  # noqa: S608
    "WHERE attempt_id = ? AND outcome = 'open' "
    "RETURNING org_id, user_id, key_id, conversation_id, day, reserved_micro_usd"
)
NEWEST = "SELECT coalesce(max(sequence), 0) FROM ledger_attempts WHERE org_id = ?"
IS_THERE = "SELECT 1 FROM ledger_attempts WHERE attempt_id = ?"
OPEN_ATTEMPTS = (
    "SELECT attempt_id, reserved_input, reserved_output, reserved_cached_input, reserved_reasoning, "
    "reserved_cache_write, reserved_micro_usd FROM ledger_attempts WHERE outcome = 'open' AND router_id = ? LIMIT ?"
)
UNDO = "DELETE FROM ledger_attempts WHERE org_id = ? AND sequence > ?"


def microseconds(time: datetime) -> int:
    """`time` as an integer."""
    return (time - _EPOCH) // _MICROSECOND


def moment(time_us: int) -> datetime:
    """The time of an integer."""
    return _EPOCH + timedelta(microseconds=time_us)


def opening_row(opening: AttemptOpening, router_id: str) -> tuple[Any, ...]:
    """A row of `INSERT`, without its sequence."""
    caller, reserved = opening.caller, opening.reserved
    return (
        opening.attempt_id,
        caller.org_id,
        caller.user_id,
        caller.key_id,
        opening.conversation_id,
        opening.decision_id,
        str(opening.operation),
        opening.service,
        opening.deployment,
        opening.number,
        opening.streamed,
        opening.hedge,
        opening.price_version,
        reserved.input_tokens,
        reserved.output_tokens,
        reserved.cached_input_tokens,
        reserved.reasoning_tokens,
        reserved.cache_write_input_tokens,
        opening.reserved_micro_usd,
        microseconds(opening.time),
        day_of(opening.time),
        router_id,
    )


def closing_row(closing: AttemptClosing) -> tuple[Any, ...]:
    """The columns of a row that is settled."""
    usage = closing.usage
    return (
        str(closing.outcome),
        closing.reason,
        usage.input_tokens,
        usage.output_tokens,
        usage.cached_input_tokens,
        usage.reasoning_tokens,
        usage.cache_write_input_tokens,
        closing.estimated,
        closing.cost_micro_usd,
        closing.first_token_ms,
        closing.duration_ms,
        microseconds(closing.time),
    )


def entry_of(row: Sequence[Any]) -> LedgerEntry:
    """The entry of a row with `ENTRY_COLUMNS`. Roles are not kept."""
    opening, closing = row[1 : 1 + _OPENING_COUNT], row[1 + _OPENING_COUNT :]
    return LedgerEntry(row[0], _opening(opening), _closing(opening[0], closing))


def _opening(row: Sequence[Any]) -> AttemptOpening:
    attempt_id, org_id, user_id, key_id, conversation_id, decision_id, operation, service, deployment, number = row[:10]
    streamed, hedge, price_version = row[10:13]
    return AttemptOpening(
        attempt_id=attempt_id,
        decision_id=decision_id,
        caller=Caller(org_id, user_id, key_id),
        conversation_id=conversation_id,
        operation=Operation(operation),
        service=service,
        deployment=deployment,
        number=number,
        streamed=bool(streamed),
        hedge=bool(hedge),
        price_version=price_version,
        reserved=TokenUsage(*row[13:18]),
        reserved_micro_usd=row[18],
        time=moment(row[19]),
    )


def _closing(attempt_id: str, row: Sequence[Any]) -> AttemptClosing | None:
    if row[0] == Outcome.OPEN.value:
        return None
    return AttemptClosing(
        attempt_id=attempt_id,
        outcome=Outcome(row[0]),
        reason=row[1],
        usage=TokenUsage(*row[2:7]),
        estimated=bool(row[7]),
        cost_micro_usd=row[8],
        first_token_ms=row[9],
        duration_ms=row[10],
        time=moment(row[11]),
    )
