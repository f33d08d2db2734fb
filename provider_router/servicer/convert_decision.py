"""Decisions as messages."""

from __future__ import annotations

from protos.gen.nexus.router.v1 import decision_pb2 as pb
from provider_router.domain.decisions.decision import TERMS, Control, Decision, Promise, Ranked, Rejection
from provider_router.domain.decisions.recorded_decision import RecordedDecision
from provider_router.domain.decisions.route_request import RouteRequest
from provider_router.domain.decisions.verification import Check, Verification
from provider_router.servicer.convert_enums import DATA_CLASSES, MODALITIES, OPERATIONS, trait_constraint

_MOST = 2**32 - 1
_STEPS = {check: check.value for check in Check} | {Check.RULES: Check.STORED_RULES.value}


def decision(made: Decision) -> pb.Decision:
    """A whole decision that was not recorded."""
    message = outline(made)
    message.candidates.extend(_candidate(each) for each in made.ranked)
    message.rejections.extend(_rejection(each) for each in made.rejections)
    return message


def recorded(read: RecordedDecision, *, whole: bool) -> pb.Decision:
    """A recorded decision; without its candidates and rejections unless it is wanted `whole`.

    Of one that somebody changed there is only what stands beside it.
    """
    record = read.record
    message = pb.Decision()
    if read.decision is not None:
        message = decision(read.decision) if whole else outline(read.decision)
    message.decision_id = record.decision_id
    message.sequence = record.sequence
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
    )


def _candidate(ranked: Ranked) -> pb.RankedCandidate:
    return pb.RankedCandidate(
        model=ranked.service,
        score=ranked.score,
        terms=[pb.ScoreTerm(name=name, value=value) for name, value in zip(TERMS, ranked.terms, strict=False)],
        expected_cost_micro_usd=ranked.expected_cost_micro_usd,
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
