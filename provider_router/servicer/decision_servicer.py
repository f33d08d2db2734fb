"""Serves `nexus.router.v1.DecisionService`."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import grpc

from protos.gen.nexus.router.v1 import decision_pb2, decision_pb2_grpc
from provider_router.servicer import convert_decision, convert_replay
from provider_router.servicer.caller import current_caller
from provider_router.servicer.convert_attempt import ledger_attempt
from provider_router.servicer.convert_call import chat_call
from provider_router.servicer.convert_enums import operation_of
from provider_router.use_cases.admit_call import AdmitCall
from provider_router.use_cases.explain_route import ExplainRoute
from provider_router.use_cases.get_decision import GetDecision
from provider_router.use_cases.list_decisions import ListDecisions
from provider_router.use_cases.replay_decisions import ReplayDecisions
from provider_router.use_cases.report_outcome import ReportOutcome
from provider_router.use_cases.verify_chain import VerifyChain
from provider_router.use_cases.verify_decision import VerifyDecision

Context = grpc.aio.ServicerContext[Any, Any]


@dataclass(frozen=True, slots=True)
class DecisionUseCases:
    """What the servicer needs."""

    admit: AdmitCall
    explain: ExplainRoute
    get: GetDecision
    page: ListDecisions
    verify: VerifyDecision
    verify_all: VerifyChain
    report: ReportOutcome
    replay: ReplayDecisions


class DecisionServicer(decision_pb2_grpc.DecisionServiceServicer):
    """Decisions of the caller's organisation; converts, and has those admitted who want something computed."""

    def __init__(self, use_cases: DecisionUseCases) -> None:
        self._use_cases = use_cases

    async def ExplainRoute(
        self, request: decision_pb2.ExplainRouteRequest, context: Context
    ) -> decision_pb2.ExplainRouteResponse:
        """Decides as a call would, without calling anybody and without a record."""
        # The deadline of this RPC is not that of the call that is asked about.
        call = chat_call(request.request, current_caller(), streamed=True, time_left_s=None)
        await self._use_cases.admit.request(call.caller)
        explained = await self._use_cases.explain(call)
        return convert_decision.explanation(explained)

    async def GetDecision(
        self, request: decision_pb2.GetDecisionRequest, context: Context
    ) -> decision_pb2.GetDecisionResponse:
        """Returns a recorded decision."""
        found = await self._use_cases.get(current_caller().org_id, request.decision_id)
        return decision_pb2.GetDecisionResponse(
            decision=convert_decision.recorded(found.recorded),
            attempts=[ledger_attempt(entry) for entry in found.attempts],
        )

    async def ListDecisions(
        self, request: decision_pb2.ListDecisionsRequest, context: Context
    ) -> decision_pb2.ListDecisionsResponse:
        """Lists recorded decisions, newest first."""
        operation = operation_of(request.operation)
        page = await self._use_cases.page(current_caller().org_id, request.page_size, request.page_token, operation)
        return decision_pb2.ListDecisionsResponse(
            decisions=[convert_decision.listed(each) for each in page.decisions],
            next_page_token=page.next_token,
        )

    async def VerifyDecision(
        self, request: decision_pb2.VerifyDecisionRequest, context: Context
    ) -> decision_pb2.VerifyDecisionResponse:
        """Computes a decision again from what was stored, and compares every step."""
        caller = current_caller()
        await self._use_cases.admit.request(caller)
        found = await self._use_cases.verify(caller.org_id, request.decision_id)
        return convert_decision.verification(found)

    async def VerifyChain(
        self, request: decision_pb2.VerifyChainRequest, context: Context
    ) -> AsyncGenerator[decision_pb2.VerifyChainResponse, None]:
        """Verifies every kept record of the organisation, oldest first."""
        caller = current_caller()
        await self._use_cases.admit.request(caller)
        async with aclosing(self._use_cases.verify_all(caller.org_id, request.expect_hash)) as events:
            async for event in events:
                yield convert_decision.chain_event(event)

    async def ReportOutcome(
        self, request: decision_pb2.ReportOutcomeRequest, context: Context
    ) -> decision_pb2.ReportOutcomeResponse:
        """Tells how good the answer of a decision was."""
        noted = await self._use_cases.report(current_caller().org_id, request.decision_id, request.reward_ppm)
        return decision_pb2.ReportOutcomeResponse(counted=noted.counted, model=noted.service, count=noted.reward.count)

    async def ReplayDecisions(
        self, request: decision_pb2.ReplayDecisionsRequest, context: Context
    ) -> AsyncGenerator[decision_pb2.ReplayDecisionsResponse, None]:
        """Decides recorded or imported requests by other rules, and compares cost and quality."""
        source, caller = convert_replay.source(request), current_caller()
        await self._use_cases.admit.request(caller)
        async with aclosing(self._use_cases.replay(caller, source, request.rules_yaml)) as events:
            async for event in events:
                yield convert_replay.event(event)
