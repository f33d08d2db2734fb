"""Budgets and sums of the ledger as messages."""

from __future__ import annotations

from protos.gen.nexus.router.v1 import ledger_pb2
from provider_router.domain.money.budget import BudgetStatus
from provider_router.domain.money.model_usage import ModelUsage


def budget(status: BudgetStatus) -> ledger_pb2.Budget:
    """A budget in its current period."""
    message = ledger_pb2.Budget(
        scope=status.scope.value,
        subject=status.subject,
        period=status.period.value,
        limit_micro_usd=status.limit_micro_usd,
        spent_micro_usd=status.spent_micro_usd,
        reserved_micro_usd=status.reserved_micro_usd,
    )
    message.reset_time.FromDatetime(status.reset_time)
    return message


def model_usage(found: ModelUsage) -> ledger_pb2.ModelUsage:
    """What was used of one model."""
    return ledger_pb2.ModelUsage(
        model=found.service,
        attempts=found.attempts,
        succeeded=found.succeeded,
        input_tokens=found.usage.input_tokens,
        output_tokens=found.usage.output_tokens,
        cached_input_tokens=found.usage.cached_input_tokens,
        reasoning_tokens=found.usage.reasoning_tokens,
        cost_micro_usd=found.cost_micro_usd,
        estimated=found.estimated,
        cost_unknown=found.cost_unknown,
    )
