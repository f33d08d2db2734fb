"""Decisions as messages."""

from __future__ import annotations

from contextlib import suppress

from protos.gen.nexus.router.v1 import decision_pb2 as pb
from provider_router.domain.decisions.canonical_json import NotCanonical
from provider_router.domain.decisions.chain_verification import ChainVerification
from provider_router.domain.decisions.decision import TERMS, Control, Decision, Promise, Ranked, Rejection
from provider_router.domain.decisions.decision_document import time_of
from provider_router.domain.decisions.decision_record import ChainLink, DecisionRecord
from provider_router.domain.decisions.recorded_decision import RecordedDecision
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.verification import Check, Verification
from provider_router.domain.money.attempt import Outcome
from provider_router.servicer.convert_enums import DATA_CLASSES, MODALITIES, OPERATIONS, trait_constraint
from provider_router.use_cases.explain_route import Explained
from provider_router.use_cases.list_decisions import ListedDecision

_MOST = 2**32 - 1
_STEPS = {check: check.value for check in Check} | {Check.STORED_RULES: "stored_rules", Check.RULES: "rules"}


def explanation(explained: Explained) -> pb.ExplainRouteResponse:
    """A decision that was not recorded, and the error that a call would get where it finds no model."""
    response = pb.ExplainRouteResponse(decision=decision(explained.decision))
    if not explained.decision.choice:
        refusal = explained.refusal()
        response.refusal.CopyFrom(pb.RouteRefusal(reason=refusal.reason, message=refusal.message))
    return response


def decision(made: Decision) -> pb.Decision:
    """A whole decision."""
    message = outline(made)
    message.candidates.extend(_candidate(each) for each in made.ranked)
    message.rejections.extend(_rejection(each) for each in made.rejections)
    return message


def recorded(read: RecordedDecision) -> pb.Decision:
    """A whole recorded decision."""
    return _beside(read.record, decision(read.decision) if read.decision else pb.Decision(damaged=True))


def listed(each: ListedDecision) -> pb.Decision:
    """A recorded decision without its candidates and rejections, and what became of it.

    Of one that somebody changed there is only what stands beside it.
    """
    read, attempt = each.recorded, each.attempt
    message = _beside(read.record, outline(read.decision) if read.decision else pb.Decision(damaged=True))
    if attempt is not None:
        message.outcome = (attempt.closing.outcome if attempt.closing else Outcome.OPEN).value
        message.outcome_model = attempt.opening.service
    return message


def _beside(record: DecisionRecord, message: pb.Decision) -> pb.Decision:
    if message.damaged:
        with suppress(NotCanonical):
            message.decision_time.FromDatetime(time_of(record.time_us))
    message.decision_id = record.decision_id
    message.sequence = _stored(record.sequence)
    message.previous_hash = record.previous_hash
    message.record_hash = record.record_hash
    return message


def outline(made: Decision) -> pb.Decision:
    """A decision without its candidates and rejections."""
    message = pb.Decision(
        features=_features(made.request),
        tier=made.tier,
        choice=made.choice,
        promise=_promise(made.promise),
        control=_control(made.control),
        registry_digest=made.registry_digest,
        rules_digest=made.rules_digest,
        state_digest=made.state_digest,
    )
    message.decision_time.FromDatetime(made.time)
    return message


def verification(found: Verification) -> pb.VerifyDecisionResponse:
    """What a verification found."""
    return pb.VerifyDecisionResponse(
        valid=found.valid,
        differing_step=_STEPS[found.differing] if found.differing else "",
        detail=found.detail,
        checked_steps=[_STEPS[check] for check in found.checked],
    )


def chain_event(happened: int | ChainVerification) -> pb.VerifyChainResponse:
    """Progress, or the result."""
    if isinstance(happened, ChainVerification):
        return pb.VerifyChainResponse(result=_chain(happened))
    return pb.VerifyChainResponse(verified=happened)


def _chain(found: ChainVerification) -> pb.ChainVerification:
    message = pb.ChainVerification(
        valid=found.valid, verified=found.verified, head=_place(found.head), pruned=_place(found.pruned)
    )
    if found.expected_found is not None:
        message.expected_found = found.expected_found
    if found.broken is not None:
        record, differing = found.broken.record, found.broken.found.differing
        message.broken.CopyFrom(
            pb.BrokenRecord(
                decision_id=record.decision_id,
                sequence=_stored(record.sequence),
                differing_step=_STEPS[differing] if differing else "",
                detail=found.broken.found.detail,
            )
        )
    return message


def _place(link: ChainLink) -> pb.ChainPlace | None:
    return pb.ChainPlace(sequence=link.sequence, record_hash=link.record_hash) if link.sequence else None


def _stored(sequence: int) -> int:
    """A sequence as a field can hold it: somebody may have made it a negative one."""
    return max(sequence, 0)


def _features(request: RouteRequest) -> pb.RequestFeatures:
    estimate = request.estimate
    return pb.RequestFeatures(
        user_id=request.caller.user_id,
        key_id=request.caller.key_id,
        operation=OPERATIONS[request.operation],
        model=f"{request.provider}/" if request.provider else request.model,
        chain=request.chain,
        input_modalities=[MODALITIES[each] for each in sorted(request.input_modalities)],
        needs_tools=request.needs_tools,
        needs_json_schema=request.needs_json_schema,
        input_tokens=_capped(request.input_tokens),
        max_output_tokens=_capped(request.max_output_tokens),
        output_tokens=_capped(request.output_tokens),
        payload_bytes=request.payload_bytes,
        data_class=DATA_CLASSES[request.data_class],
        residency=sorted(request.residency),
        traits=[trait_constraint(each) for each in request.traits],
        max_cost_micro_usd=request.max_cost_micro_usd,
        budget_left_micro_usd=request.budget_left_micro_usd,
        deadline_ms=request.deadline_ms,
        affinity=request.affinity,
        task_class=estimate.task_class,
        task_confidence_ppm=estimate.confidence_ppm,
        complexity_ppm=estimate.complexity_ppm,
        estimator=estimate.method,
        language=request.language,
        parameters=sorted(request.parameters),
    )


def _candidate(ranked: Ranked) -> pb.RankedCandidate:
    return pb.RankedCandidate(
        model=ranked.service,
        score=ranked.score,
        terms=[pb.ScoreTerm(name=name, value=value) for name, value in zip(TERMS, ranked.terms, strict=False)],
        expected_cost_micro_usd=ranked.expected_cost_micro_usd or 0,
        price_unknown=ranked.expected_cost_micro_usd is None,
        expected_first_token_ms=_capped(ranked.expected_first_token_ms),
        expected_total_ms=_capped(ranked.expected_total_ms),
    )


def _rejection(rejection: Rejection) -> pb.Rejection:
    return pb.Rejection(
        model=rejection.service,
        step=rejection.step.value,
        reason=rejection.reason.value,
        detail=rejection.detail,
    )


def _promise(promise: Promise) -> pb.RoutePromise:
    return pb.RoutePromise(
        availability_ppm=promise.availability_ppm,
        first_token_p95_ms=None if promise.first_token_p95_ms is None else _capped(promise.first_token_p95_ms),
        max_cost_micro_usd=promise.max_cost_micro_usd,
        clearance=DATA_CLASSES[promise.clearance],
        regions=sorted(promise.regions or ()),
        regions_known=promise.regions is not None,
        retention_days=promise.retention_days,
        may_train=promise.may_train,
        on_premises=promise.on_premises,
        deterministic=promise.deterministic,
    )


def _control(control: Control) -> pb.RouteControl:
    return pb.RouteControl(
        chain=[
            pb.ChainLink(
                model=link.service,
                tries=link.tries,
                first_token_timeout_ms=_capped(link.first_token_timeout_ms),
            )
            for link in control.chain
        ],
        max_attempts=control.max_attempts,
        total_timeout_ms=_capped(control.total_timeout_ms),
        idle_timeout_ms=_capped(control.idle_timeout_ms),
        hedge_after_ms=_capped(control.hedge_after_ms),
    )


def _capped(value: int) -> int:
    """`value` as a field of 32 bits can hold it: who expects to wait 50 days expects to wait for ever."""
    return min(value, _MOST)
