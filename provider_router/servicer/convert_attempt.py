"""Attempts of the ledger as messages."""

from __future__ import annotations

from protos.gen.nexus.router.v1 import decision_pb2
from provider_router.domain.money.attempt import LedgerEntry, Outcome
from provider_router.servicer.convert import usage


def ledger_attempt(entry: LedgerEntry) -> decision_pb2.LedgerAttempt:
    """A row of the ledger."""
    opening, closing = entry.opening, entry.closing
    message = decision_pb2.LedgerAttempt(
        attempt_id=opening.attempt_id,
        model=opening.service,
        deployment=opening.deployment,
        outcome=(closing.outcome if closing else Outcome.OPEN).value,
        price_version=opening.price_version,
        hedge=opening.hedge,
        decision_id=opening.decision_id,
        reserved_micro_usd=opening.reserved_micro_usd,
        user_id=opening.caller.user_id,
        key_id=opening.caller.key_id,
        conversation_id=opening.conversation_id,
        sequence=entry.sequence,
        usage=usage(closing.usage if closing else None),
    )
    message.start_time.FromDatetime(opening.time)
    if closing is not None:
        message.reason = closing.reason
        message.estimated = closing.estimated
        message.cost_micro_usd = closing.cost_micro_usd
        message.cost_unknown = entry.cost_is_unknown
        message.end_time.FromDatetime(closing.time)
        if closing.first_token_ms is not None:
            message.first_token_ms = closing.first_token_ms
    return message
