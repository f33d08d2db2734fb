"""Serves `nexus.router.v1.LedgerService`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from typing import Any

import grpc

from protos.gen.nexus.router.v1 import ledger_pb2, ledger_pb2_grpc
from provider_router.servicer import convert_ledger
from provider_router.servicer.caller import current_caller
from provider_router.servicer.convert_attempt import ledger_attempt
from provider_router.use_cases.invalidate_cache import InvalidateCache
from provider_router.use_cases.list_attempts import AttemptsWanted, ListAttempts
from provider_router.use_cases.list_budgets import ListBudgets
from provider_router.use_cases.summarize_usage import SummarizeUsage

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class LedgerUseCases:
    """What the servicer needs."""

    budgets: ListBudgets
    attempts: ListAttempts
    summarize: SummarizeUsage
    invalidate_cache: InvalidateCache


class LedgerServicer(ledger_pb2_grpc.LedgerServiceServicer):
    """Money and cache of the caller's organisation; converts, and does nothing else."""

    def __init__(self, use_cases: LedgerUseCases) -> None:
        self._use_cases = use_cases

    async def ListBudgets(
        self, request: ledger_pb2.ListBudgetsRequest, context: Context
    ) -> ledger_pb2.ListBudgetsResponse:
        """Lists the budgets that calls of the caller count against."""
        found = await self._use_cases.budgets(current_caller(), request.conversation_id)
        return ledger_pb2.ListBudgetsResponse(
            budgets=map(convert_ledger.budget, found.budgets), config_error=found.config_error
        )

    async def ListLedgerAttempts(
        self, request: ledger_pb2.ListLedgerAttemptsRequest, context: Context
    ) -> ledger_pb2.ListLedgerAttemptsResponse:
        """Lists attempts of the caller's organisation."""
        wanted = AttemptsWanted(request.page_size, request.page_token, request.decision_id, request.newest_first)
        page = await self._use_cases.attempts(current_caller().org_id, wanted)
        return ledger_pb2.ListLedgerAttemptsResponse(
            attempts=map(ledger_attempt, page.entries), next_page_token=page.next_token
        )

    async def SummarizeUsage(
        self, request: ledger_pb2.SummarizeUsageRequest, context: Context
    ) -> ledger_pb2.SummarizeUsageResponse:
        """Sums up the ledger of the caller's organisation by model."""
        since = request.start_time.ToDatetime(UTC) if request.HasField("start_time") else None
        until = request.end_time.ToDatetime(UTC) if request.HasField("end_time") else None
        found = await self._use_cases.summarize(current_caller().org_id, since, until)
        return ledger_pb2.SummarizeUsageResponse(
            models=map(convert_ledger.model_usage, found),
            cost_micro_usd=sum(model.cost_micro_usd for model in found),
            cost_unknown=sum(model.cost_unknown for model in found),
        )

    async def InvalidateCache(
        self, request: ledger_pb2.InvalidateCacheRequest, context: Context
    ) -> ledger_pb2.InvalidateCacheResponse:
        """Removes cached answers of the caller's organisation."""
        removed = await self._use_cases.invalidate_cache(
            current_caller().org_id,
            model_prefix=request.model_prefix,
            older_than_s=request.older_than.ToTimedelta().total_seconds(),
        )
        return ledger_pb2.InvalidateCacheResponse(removed=removed)
